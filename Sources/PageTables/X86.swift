extension PagingMode {
  /// x86-64 with four levels.
  ///
  /// Source: arch/x86/include/asm/pgtable_types.h, 6.12.
  package static let x86_64 = x86_64(levels: 4)
  /// x86-64 with five levels (CR4.LA57).
  package static let x86_64FiveLevel = x86_64(levels: 5)

  /// The modes by the name that `--mode` takes.
  package static let named: [(name: String, mode: PagingMode)] = [
    ("x86-64", x86_64), ("x86-64-4level", x86_64), ("x86-64-5level", x86_64FiveLevel),
  ]

  private static func x86_64(levels count: Int) -> PagingMode {
    let frame: UInt64 = 0x000f_ffff_ffff_f000
    let pse: UInt64 = 1 << 7
    let all: [Level] = [
      Level(
        number: 1, name: "pte", shift: 12, mayBeLeaf: true, reservedInTable: 0,
        reservedInLeaf: 0, leafAddress: frame),
      Level(
        number: 2, name: "pmd", shift: 21, mayBeLeaf: true, reservedInTable: 0,
        reservedInLeaf: 0x001f_e000, leafAddress: frame & ~0x001f_ffff),
      Level(
        number: 3, name: "pud", shift: 30, mayBeLeaf: true, reservedInTable: 0,
        reservedInLeaf: 0x3fff_e000, leafAddress: frame & ~0x3fff_ffff),
      Level(
        number: 4, name: count == 4 ? "pgd" : "p4d", shift: 39, mayBeLeaf: false,
        reservedInTable: pse, reservedInLeaf: pse, leafAddress: frame),
      Level(
        number: 5, name: "pgd", shift: 48, mayBeLeaf: false,
        reservedInTable: pse, reservedInLeaf: pse, leafAddress: frame),
    ]
    return PagingMode(
      name: "x86-64 \(count)-level", levels: Array(all.prefix(count)), flags: x86Flags,
      present: 1, large: pse, write: 1 << 1, user: 1 << 2, global: 1 << 8, noExecute: 1 << 63,
      tableAddress: frame, entriesPerTable: 512)
  }

  /// In the order of the columns of the kernel's text, then what the kernel does not print.
  private static let x86Flags: [Flag] = [
    flag(2, "USR", "   ", .all),
    flag(1, "RW", "ro", .all),
    flag(3, "PWT", "   "),
    flag(4, "PCD", "   "),
    flag(7, "PSE", "   ", levels: 2...5),
    flag(7, "PAT", "   ", levels: 1...1),
    flag(12, "PAT", "   ", levels: 2...3),
    flag(8, "GLB", "   "),
    flag(63, "NX", "x ", .any),
    flag(0, "P", "", printed: false),
    flag(5, "A", "", printed: false),
    flag(6, "D", "", printed: false),
    flag(9, "SOFTW1", "", printed: false),
    flag(10, "SOFTW2", "", printed: false),
    flag(11, "SOFTW3", "", printed: false),
    flag(57, "SOFTW4", "", printed: false),
    flag(58, "SOFTW5", "", printed: false),
  ]

  private static func flag(
    _ bit: UInt64, _ set: String, _ clear: String, _ combination: Combination = .leafOnly,
    levels: ClosedRange<Int> = 1...5, printed: Bool = true
  ) -> Flag {
    Flag(
      mask: 1 << bit, set: set, clear: clear, combination: combination, levels: levels,
      printed: printed)
  }
}
