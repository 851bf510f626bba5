package import KernelText
package import MemoryImages
package import PageTables

/// x86 with 64 and with 32 bits.
package struct X86: Architecture {
  package let name: String
  package let machine: Machine
  package let formats: [TableFormat]
  package let wordSize: Int
  package let imageSpace: ClosedRange<UInt64>?

  package static let x86_64 = X86(
    name: "x86-64", machine: .x86_64, formats: [.x86_64, .x86_64FiveLevel], wordSize: 8,
    imageSpace: imageBase...0xffff_ffff_bfff_ffff)

  package static let i386 = X86(
    name: "i386", machine: .i386, formats: [.i386, .i386PAE], wordSize: 4, imageSpace: nil)

  /// Where all kernels of 64 bits are linked to (`__START_KERNEL_map`).
  static let imageBase: UInt64 = 0xffff_ffff_8000_0000

  /// A and D.
  package var usageBits: UInt64 { 1 << 5 | 1 << 6 }

  /// Source: `CONFIG_PHYSICAL_ALIGN`, arch/x86/Kconfig, 6.12: 2 MiB at least with RANDOMIZE_BASE.
  package var imageAlignment: UInt64 { 1 << 21 }

  package var topTableNames: [String] { ["init_top_pgt", "swapper_pg_dir", "init_level4_pgt"] }

  /// Source: `free_initmem`, arch/x86/mm/init.c, `mark_rodata_ro`, arch/x86/mm/init_64.c,
  /// `alternative_instructions`, arch/x86/kernel/alternative.c (one processor), and
  /// `mem_encrypt_free_decrypted_mem`, arch/x86/mm/mem_encrypt_amd.c, 6.12.
  package var freedSections: [(start: String, end: String)] {
    [
      ("__init_begin", "__init_end"), ("_etext", "__start_rodata"), ("__end_rodata", "_sdata"),
      ("__smp_locks", "__smp_locks_end"),
      ("__start_bss_decrypted_unused", "__end_bss_decrypted"),
    ]
  }

  /// Source: `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  package var readOnlySections: [(start: String, end: String)] {
    [("_text", "_etext"), ("__start_rodata", "__end_rodata")]
  }

  package var shadowTables: [(level: Int, name: String)] {
    [(1, "pte"), (2, "pmd"), (3, "pud"), (4, "p4d")].map { ($0.0, "kasan_early_shadow_\($0.1)") }
  }

  package var variables: [String] {
    [
      "page_offset_base", "vmalloc_base", "vmemmap_base", Self.supportedMask, Self.kernelMask,
      "max_pfn_mapped", Variable.systemState, Variable.kfencePool, Self.pinnedBits,
      Variable.memoryEnd, Self.xenDomainType,
    ] + Variable.directPages + [Variable.efiRoot]
      + Variable.kexecImages.map(Variable.controlPage)
  }

  package var spareVariables: Set<String> {
    [Self.pinnedBits, Variable.memoryEnd, Self.xenDomainType]
  }

  /// An `enum xen_domain_type`.
  static let xenDomainType = "xen_domain_type"
  static let supportedMask = "__supported_pte_mask"
  static let kernelMask = "__default_kernel_pte_mask"
  package var entryMasks: Set<String> { [Self.supportedMask, Self.kernelMask] }

  package var textFormat: String { "x86-text" }

  package func dialect(release: String?) -> KernelText.Dialect {
    KernelText.Dialect(release: release)
  }

  /// Those of a kernel with MODIFY_LDT_SYSCALL, ESPfix and EFI, as far as areas are known.
  ///
  /// Source: `address_markers`, arch/x86/mm/dump_pagetables.c, 6.12.
  package func usualMarkers(_ layout: Layout) -> [AddressMarker]? {
    // On 32 bits they depend on the configuration and on the machine's memory.
    guard !imageIsInDirectMap else { return nil }
    let areas: [(Area.Kind, String, Int)] = [
      (.ldtRemap, "LDT remap", 0), (.directMap, "Low Kernel Mapping", 0),
      (.vmalloc, "vmalloc() Area", 0), (.vmemmap, "Vmemmap", 0),
      (.cpuEntryArea, "CPU entry Area", 0), (.espfix, "ESPfix Area", 16),
      (.efi, "EFI Runtime Services", 0), (.image, "High Kernel Mapping", 0),
      (.modules, "Modules", 0),
    ]
    return [
      AddressMarker(start: 0, name: "User Space"),
      AddressMarker(start: 0x8000_0000_0000_0000, name: "Kernel Space"),
    ]
      + areas.compactMap { kind, name, lines in
        layout.first(kind).map { AddressMarker(start: $0.start, name: name, maxLines: lines) }
      }
      + [
        AddressMarker(start: 0xffff_ffff_ff00_0000, name: "End Modules"),
        AddressMarker(start: 0xffff_ffff_ff57_b000, name: "Fixmap Area"),
      ]
  }

  /// Source: arch/x86/kernel/vmcore_info_64.c and arch/x86/boot/compressed/kaslr.c, 6.12.
  package func contradictions(in info: VMCoreInfo) -> [String] {
    var found: [String] = []
    if let offset = info.hex("KERNELOFFSET"),
      offset & (imageAlignment - 1) != 0 || offset >= 1 << 30
    {
      found.append("VMCOREINFO's KERNELOFFSET \(offset.entry) is no place for a kernel")
    }
    if let size = info.number("KERNEL_IMAGE_SIZE"), size != 1 << 29, size != 1 << 30 {
      found.append("VMCOREINFO's KERNEL_IMAGE_SIZE \(size.entry) is neither 512 MiB nor 1 GiB")
    }
    if let mask = info.encryptionMask, TableFormat.x86_64.encrypted(by: mask) == nil {
      found.append("VMCOREINFO's sme_mask \(mask.entry) is no bit of an entry's address")
    }
    return found
  }
}
