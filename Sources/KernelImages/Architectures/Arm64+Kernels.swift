package import KernelText
package import PageTables

/// What arm64's kernels do.
extension Arm64 {
  package func protections(in registers: [String: UInt64]) -> [RegisterState] { [] }
  package func wantedProtections(_ values: [String: UInt64]) -> [(Protection, source: String)] {
    []
  }
  package var lostProtectionMessages: [String] { [] }
  package var registerNames: [String] { [] }

  /// The resource tree's end tells nothing: it is that of 64 bits on every machine.
  package func physicalBits(memoryEnd: UInt64) -> Int? { nil }
  /// A realm's memory that its host may see has the top bit of its addresses set.
  ///
  /// Source: `rsi_version_matches`, arch/arm64/kernel/rsi.c, 6.13.
  package var sharingMessages: [String] { ["RME: Using RSI version"] }

  package func unmovedDirectMaps(_ format: TableFormat) -> [UInt64] { [] }

  /// None: the facts tell where physical address zero would be, not where areas start.
  package func orderedAreas(_ facts: KernelFacts) -> [(name: String, start: Fact<UInt64>)] { [] }

  package func imageSpace(_ facts: KernelFacts, end: UInt64?) -> ClosedRange<UInt64>? { nil }

  /// The kernel's half has one table for all.
  package func fillsKernelHalfLazily(_ facts: KernelFacts) -> Bool { false }
  package func processesOwnKernelHalf(_ format: TableFormat, _ facts: KernelFacts) -> Bool? {
    false
  }

  /// BPF programs.
  ///
  /// Source: `execmem_arch_setup`, arch/arm64/mm/init.c, 6.12, and `bpf_jit_alloc_exec`,
  /// arch/arm64/net/bpf_jit_comp.c, 5.17.
  package var makesCodeInVmalloc: Bool { true }

  /// Source: `can_set_direct_map`, arch/arm64/mm/pageattr.c, 6.12; a processor without BBML2 cannot
  /// split a block that is in use.
  package func wantsSmallDirectMap(_ values: [String: UInt64]) -> Bool? {
    // What kernels are made for, where nothing tells.
    guard let isFull = values[Self.readOnlyAliases] else { return true }
    // KFENCE that may be turned on later, or that has its pool there.
    return isFull != 0 || values[Self.earlyKfence] == 0
      || values[Variable.kfencePool].map { $0 != 0 } ?? false
  }

  /// With rodata=full what is made read-only in vmalloc is so in the direct map, too.
  ///
  /// Source: `change_memory_common`, arch/arm64/mm/pageattr.c, 6.12.
  package func protectsAliases(_ values: [String: UInt64]) -> Bool? {
    values[Self.readOnlyAliases].map { $0 != 0 }
  }

  /// With rodata=off nothing is protected, and nothing is said.
  ///
  /// Source: `kernel_init`, init/main.c, 6.12; SYSTEM_RUNNING was 2 before 5.17.
  package func hasProtectedImage(_ values: [String: UInt64], _ facts: KernelFacts) -> Bool? {
    values[Variable.systemState].map { $0 >= (facts.isAtLeast(5, 17) == false ? 2 : 3) }
  }

  package var vmallocGuard: UInt64 { 0 }
  package var executableFirmware: ClosedRange<UInt64>? { nil }
  package func habit(_ defect: Habit.Defect, of run: Run, in area: Area) -> Habit? { nil }
  package func isOpenByDesign(_ run: Run, in area: Area.Kind, _ facts: KernelFacts) -> Bool {
    false
  }

  /// There is no dump in the log of a start: a text is read from debugfs.
  ///
  /// Source: `ptdump_debugfs_register`, arch/arm64/mm/ptdump_debugfs.c, 6.12.
  package var dumpsAfterItsStart: Bool { true }

  package func dialect(release: String?) -> KernelText.Dialect { .arm64(release: release) }
}
