internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What neutral rules ask of a kernel, answered for x86.
extension Subject {
  private var isI386: Bool { mode.architecture.name == "i386" }
  private var isX86_64: Bool { mode.architecture.name == "x86-64" }

  /// Whether the image has no mapping of its own, but is a part of the direct map.
  var imageLiesInDirectMap: Bool { mode.architecture.imageIsInDirectMap }

  /// Whether a process's kernel half is filled when it is touched, not when the kernel's changes.
  ///
  /// Since 5.8 vmalloc's entries are made in all tables before they are used; on 32 bits they are
  /// synced when something faults. Source: 7f0a002b5a21 (5.8).
  var fillsKernelHalfLazily: Bool { isI386 || facts.isAtLeast(5, 8) != true }

  /// Whether each process has tables of its own for the kernel's half; nil where it is not known.
  ///
  /// With PAE and isolation: SHARED_KERNEL_PMD. Source:
  /// arch/x86/include/asm/pgtable-3level_types.h, 6.12.
  var processesOwnKernelHalf: Bool? {
    guard mode.isPAE else { return false }
    return facts.pti?.value
  }

  /// The bytes before vmalloc that are neither memory nor vmalloc's: VMALLOC_OFFSET.
  ///
  /// Source: arch/x86/include/asm/pgtable_32_areas.h, 6.12.
  var vmallocGuard: UInt64 { isI386 ? 8 << 20 : 0 }

  /// Where the PCI BIOS lies, which CONFIG_PCI_BIOS maps writable and executable on 32 bits.
  ///
  /// Source: `set_bios_x`, arch/x86/pci/pcbios.c, 6.12.
  var executableFirmware: ClosedRange<UInt64>? { isI386 ? 0xa_0000...0xf_ffff : nil }

  /// Tells what the kernel opens to user mode on purpose: the vsyscall page, and up to 4.4 the vDSO's
  /// variables and KVM's clock in the fixmap.
  ///
  /// Source: `set_vsyscall_pgtable_user_bits`, arch/x86/entry/vsyscall/vsyscall_64.c, 6.12.
  var isOpenByDesign: (Run, Table) -> Bool {
    guard isX86_64 else { return { _, _ in false } }
    let hasFixmapPages = facts.isAtLeast(4, 5) != true
    let vsyscall: UInt64 = 0xffff_ffff_ff60_0000
    let page = mode.granule
    return { run, table in
      guard !run.access.isWritable else { return false }
      return run.start == vsyscall && run.size == page
        || hasFixmapPages && table.layout.area(of: run.start).kind == .fixmap
    }
  }

  /// The addresses that only the image may use; nil where it has no mapping of its own.
  ///
  /// KERNEL_IMAGE_SIZE is 512 MiB, or 1 GiB with KASLR. Where it is not known it is taken as the
  /// lesser, unless the image lies after it. Source: arch/x86/include/asm/page_64_types.h, 6.12.
  var imageSpace: ClosedRange<UInt64>? {
    guard !imageLiesInDirectMap, let area = kernel.layout.first(.image) else { return nil }
    let lesser: UInt64 = 512 << 20
    let end = symbols?["_end"] ?? 0
    let size = facts.imageSize?.value ?? (end > area.start &+ lesser ? 2 * lesser : lesser)
    let last = area.start &+ (size &- 1)
    return area.start <= last ? area.start...last : nil
  }
}
