package import MemoryImages
package import PageTables

/// Arm's 64 bits, little-endian, of every granule and width of addresses that Linux runs with.
package struct Arm64: Architecture {
  package static let arm64 = Arm64()

  package var name: String { "arm64" }
  package var machine: Machine { .arm64 }
  package var formats: [TableFormat] { TableFormat.arm64Formats }
  package var wordSize: Int { 8 }

  /// The image has a place among vmalloc's addresses that no other kernel has, and none of its own.
  package var imageSpace: ClosedRange<UInt64>? { nil }
  package var imageIsInDirectMap: Bool { false }
  package var areasNeedNote: Bool { true }

  /// AF; the dirty state is a kernel's own business, which takes PTE_RDONLY away.
  package var usageBits: UInt64 { 1 << 10 }

  /// Source: `MIN_KIMG_ALIGN`, arch/arm64/include/asm/boot.h, 6.12.
  package var imageAlignment: UInt64 { 1 << 21 }

  package var topTableNames: [String] { ["swapper_pg_dir"] }

  /// The page before it has the header of the image's file.
  package var codeStart: String { "_stext" }

  /// Source: `free_initmem`, arch/arm64/mm/init.c, 6.12.
  package var freedSections: [(start: String, end: String)] { [("__init_begin", "__init_end")] }

  /// Source: `mark_rodata_ro`, arch/arm64/mm/mmu.c, 6.12: notes and exception tables are read-only,
  /// too.
  package var readOnlySections: [(start: String, end: String)] {
    [("_text", "_etext"), ("__start_rodata", "__init_begin")]
  }

  package var shadowTables: [(level: Int, name: String)] {
    [(1, "pte"), (2, "pmd"), (3, "pud"), (4, "p4d")].map { ($0.0, "kasan_early_shadow_\($0.1)") }
  }

  package var variables: [String] {
    [
      Self.memoryStart, Self.notGlobal, Self.readOnlyAliases, Self.earlyKfence,
      Self.memoryFeatures, Self.secretUsers, Variable.systemState, Variable.kfencePool,
      Variable.efiRoot,
    ] + Variable.kexecImages.map(Variable.controlPage)
  }

  package var spareVariables: Set<String> { flagVariables.union([Self.secretUsers]) }
  package var entryMasks: Set<String> { [] }
  package var flagVariables: Set<String> {
    [Self.notGlobal, Self.readOnlyAliases, Self.earlyKfence]
  }

  /// What the direct map's first address is of: a signed number, which KASLR makes negative, as a
  /// kernel does that was made for wider addresses than it runs with.
  static let memoryStart = "memstart_addr"
  /// Whether kernel leaves are not global: for KPTI, or for what KASLR would tell to user mode.
  ///
  /// Source: `arm64_use_ng_mappings`, arch/arm64/include/asm/pgtable-prot.h, 5.5 and later.
  static let notGlobal = "arm64_use_ng_mappings"
  /// Whether what is made read-only is so in the direct map, too: rodata=full.
  static let readOnlyAliases = "rodata_full"
  /// Whether KFENCE has a pool of its own from the start; where not, it may take one later.
  static let earlyKfence = "kfence_early_init"

  /// ID_AA64MMFR0_EL1 as all processors of the machine have it.
  static let memoryFeatures = "arm64_ftr_regs[ID_AA64MMFR0_EL1]"
  /// How many files of memfd_secret() are open, whose pages the direct map lacks; an `atomic_t`.
  ///
  /// Source: mm/secretmem.c, 6.12.
  package static let secretUsers = "secretmem_users"

  /// Of the registers that the kernel keeps: an array of a number and a pointer to a structure, whose
  /// first word points to the register's name and whose fourth is the value.
  ///
  /// Source: `arm64_ftr_regs`, arch/arm64/kernel/cpufeature.c, and `struct arm64_ftr_reg`,
  /// arch/arm64/include/asm/cpufeature.h, 4.16 to 7.1.
  package func furtherValues(
    _ symbols: Symbols, bytes: (UInt64, Int) -> [UInt8]?
  ) -> [String: UInt64] {
    guard let array = symbols["arm64_ftr_regs"] else { return [:] }
    let number: UInt64 = 3 << 19 | 7 << 8
    for index in 0..<128 {
      guard let entry = bytes(array &+ UInt64(16 * index), 16),
        let its = entry.number(at: 0, size: 4), let place = entry.u64(at: 8)
      else { return [:] }
      guard its == number else { continue }
      guard let register = bytes(place, 32), let name = register.u64(at: 0),
        bytes(name, 21) == Array("SYS_ID_AA64MMFR0_EL1".utf8) + [0],
        let value = register.u64(at: 24)
      else { return [:] }
      return [Self.memoryFeatures: value]
    }
    return [:]
  }

  /// The array is a variable of a function since 6.9, and compilers put a number after such a name.
  package var markersHolder: String { "kernel_ptdump_info" }
  /// An address and a name: no line is left out.
  package var markerWords: Int { 2 }

  package var textFormat: String { "arm64-text" }

  /// None: the kernel says nothing when it makes its image read-only.
  package var protectionMessage: String? { nil }
  package var earlyReadOnlySymbols: [String] { [] }

  /// Source: arch/arm64/kernel/vmcore_info.c, 6.12.
  package func contradictions(in info: VMCoreInfo) -> [String] {
    var found: [String] = []
    if let size = info.hexOrDecimal("PAGESIZE"), Self.granule(size) == nil {
      found.append("VMCOREINFO's PAGESIZE \(size) is no granule")
    }
    if let size = info.number("TCR_EL1_T1SZ"), !(12...28).contains(size) {
      found.append("VMCOREINFO's TCR_EL1_T1SZ \(size.entry) is no width of addresses of Linux")
    }
    return found
  }
}
