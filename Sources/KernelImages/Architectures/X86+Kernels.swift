package import PageTables

/// What x86's kernels do, by release and word size.
extension X86 {
  /// The IDT's page is read-only earlier.
  ///
  /// Source: `idt_setup_apic_and_irq_gates`, arch/x86/kernel/idt.c, 6.12.
  package var earlyReadOnlySymbols: [String] { ["idt_table"] }

  /// Source: `mark_rodata_ro`, arch/x86/mm/init_64.c and init_32.c, 6.12.
  package var protectionMessage: String? { "Write protecting " }

  package func unmovedDirectMaps(_ format: TableFormat) -> [UInt64] {
    imageIsInDirectMap
      ? []
      : X86Plan.plans(format, nil).reversed().reduce(into: []) { places, plan in
        if !places.contains(plan.directMap) { places.append(plan.directMap) }
      }
  }

  /// Source: `kernel_randomize_memory`, arch/x86/mm/kaslr.c, 6.12.
  package func orderedAreas(_ facts: KernelFacts) -> [(name: String, start: Fact<UInt64>)] {
    guard !imageIsInDirectMap else { return [] }
    return [
      ("the direct map", facts.directMap), ("vmalloc", facts.vmalloc), ("vmemmap", facts.vmemmap),
    ].compactMap { name, start in start.map { (name: name, start: $0) } }
  }

  /// KERNEL_IMAGE_SIZE is 512 MiB, or 1 GiB with KASLR.
  ///
  /// Where it is not known it is taken as the lesser, unless the image lies after it. Source:
  /// arch/x86/include/asm/page_64_types.h, 6.12.
  package func imageSpace(_ facts: KernelFacts, end: UInt64?) -> ClosedRange<UInt64>? {
    guard let start = imageSpace?.lowerBound else { return nil }
    let lesser: UInt64 = 512 << 20
    let modules = X86Plan.modules(facts.version).map { $0 &- start }
    let size =
      facts.imageSize?.value ?? modules ?? (end ?? 0 > start &+ lesser ? 2 * lesser : lesser)
    let last = start &+ (size &- 1)
    return start <= last ? start...last : nil
  }

  /// Since 5.8 vmalloc's entries are made in all tables before they are used; on 32 bits they are
  /// synced when something faults.
  ///
  /// Source: 7f0a002b5a21 (5.8).
  package func fillsKernelHalfLazily(_ facts: KernelFacts) -> Bool {
    imageIsInDirectMap || facts.isAtLeast(5, 8) != true
  }

  /// With PAE and isolation: SHARED_KERNEL_PMD.
  ///
  /// Source: arch/x86/include/asm/pgtable-3level_types.h, 6.12.
  package func processesOwnKernelHalf(_ format: TableFormat, _ facts: KernelFacts) -> Bool? {
    format.isPAE ? facts.pti?.value : false
  }

  /// VMALLOC_OFFSET.
  ///
  /// Source: arch/x86/include/asm/pgtable_32_areas.h, 6.12.
  package var vmallocGuard: UInt64 { imageIsInDirectMap ? 8 << 20 : 0 }

  /// The PCI BIOS, which CONFIG_PCI_BIOS maps writable and executable on 32 bits.
  ///
  /// Source: `set_bios_x`, arch/x86/pci/pcbios.c, 6.12.
  package var executableFirmware: ClosedRange<UInt64>? {
    imageIsInDirectMap ? 0xa_0000...0xf_ffff : nil
  }

  /// The vsyscall page, and up to 4.4 the vDSO's variables and KVM's clock in the fixmap.
  ///
  /// Source: `set_vsyscall_pgtable_user_bits`, arch/x86/entry/vsyscall/vsyscall_64.c, 6.12.
  package func isOpenByDesign(_ run: Run, in area: Area.Kind, _ facts: KernelFacts) -> Bool {
    guard !imageIsInDirectMap, !run.access.isWritable else { return false }
    return run.start == 0xffff_ffff_ff60_0000 && run.size == formats[0].granule
      || area.role == .fixmap && facts.isAtLeast(4, 5) != true
  }
}
