extension PagingMode {
  /// x86-64 with four levels.
  ///
  /// Source: arch/x86/include/asm/pgtable_types.h, 6.12.
  package static let x86_64 = x86_64(levels: 4)
  /// x86-64 with five levels (CR4.LA57).
  package static let x86_64FiveLevel = x86_64(levels: 5)

  /// 32-bit x86 with two levels of 4-byte entries.
  package static let i386 = PagingMode(
    name: "i386 2-level",
    levels: [
      Level(
        number: 1, name: "pte", holeName: "pte", shift: 12, entries: 1024, mayBeLeaf: true,
        reservedInTable: 0, reservedInLeaf: 0, leafAddress: 0xffff_f000, grants: 0),
      // Bits 13 to 20 would be address bits 32 to 39 (PSE-36), which Linux leaves clear.
      Level(
        number: 2, name: "pmd", holeName: "pgd", shift: 22, entries: 1024, mayBeLeaf: true,
        reservedInTable: 0, reservedInLeaf: 0x003f_e000, leafAddress: 0xffc0_0000, grants: 0),
    ],
    flags: x86Flags, present: 1, large: pse, write: 1 << 1, user: 1 << 2, global: 1 << 8,
    noExecute: 0, tableAddress: 0xffff_f000, entrySize: 4, upperHalf: 0xc000_0000,
    noneMask: ~0x60, dumpedEffective: 1 << 1 | 1 << 2)

  /// 32-bit x86 with PAE: three levels of 8-byte entries, of which the top one has four.
  ///
  /// The kernel's dumper takes the top entries' missing RW and US for a ban (since 5.6), so that
  /// it sees no effective change but that of NX.
  package static let i386PAE = PagingMode(
    name: "i386 PAE",
    levels: [
      Level(
        number: 1, name: "pte", holeName: "pte", shift: 12, entries: 512, mayBeLeaf: true,
        reservedInTable: 0, reservedInLeaf: 0, leafAddress: frame, grants: 0),
      Level(
        number: 2, name: "pmd", holeName: "pmd", shift: 21, entries: 512, mayBeLeaf: true,
        reservedInTable: 0, reservedInLeaf: 0x001f_e000, leafAddress: frame & ~0x001f_ffff,
        grants: 0),
      // RW, US, D, PSE, G and the high bits; A is set by some processors.
      Level(
        number: 3, name: "pgd", holeName: "pgd", shift: 30, entries: 4, mayBeLeaf: false,
        reservedInTable: 0xfff0_0000_0000_01c6, reservedInLeaf: 0, leafAddress: frame,
        grants: 1 << 1 | 1 << 2),
    ],
    flags: x86Flags, present: 1, large: pse, write: 1 << 1, user: 1 << 2, global: 1 << 8,
    noExecute: 1 << 63, tableAddress: frame, entrySize: 8, upperHalf: 0xc000_0000,
    noneMask: 0xffff_ff9f, dumpedEffective: 1 << 63)

  /// The modes by the name that `--mode` takes.
  package static let named: [(name: String, mode: PagingMode)] = [
    ("x86-64", x86_64), ("x86-64-4level", x86_64), ("x86-64-5level", x86_64FiveLevel),
    ("i386", i386), ("i386-pae", i386PAE),
  ]

  private static let frame: UInt64 = 0x000f_ffff_ffff_f000
  private static let pse: UInt64 = 1 << 7

  private static func x86_64(levels count: Int) -> PagingMode {
    func level(
      _ number: Int, _ name: String, shift: Int, mayBeLeaf: Bool = true, reserved: UInt64 = 0,
      reservedInTable: UInt64 = 0
    ) -> Level {
      let span: UInt64 = 1 << UInt64(shift)
      return Level(
        number: number, name: name, holeName: name, shift: shift, entries: 512,
        mayBeLeaf: mayBeLeaf, reservedInTable: reservedInTable, reservedInLeaf: reserved,
        leafAddress: mayBeLeaf ? frame & ~(span - 1) : frame, grants: 0)
    }
    let all = [
      level(1, "pte", shift: 12),
      level(2, "pmd", shift: 21, reserved: 0x001f_e000),
      level(3, "pud", shift: 30, reserved: 0x3fff_e000),
      level(
        4, count == 4 ? "pgd" : "p4d", shift: 39, mayBeLeaf: false, reserved: pse,
        reservedInTable: pse),
      level(5, "pgd", shift: 48, mayBeLeaf: false, reserved: pse, reservedInTable: pse),
    ]
    return PagingMode(
      name: "x86-64 \(count)-level", levels: Array(all.prefix(count)), flags: x86Flags,
      present: 1, large: pse, write: 1 << 1, user: 1 << 2, global: 1 << 8, noExecute: 1 << 63,
      tableAddress: frame, entrySize: 8, upperHalf: ~0 << UInt64(count == 5 ? 56 : 47),
      noneMask: ~0x60, dumpedEffective: 1 << 1 | 1 << 2 | 1 << 63)
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
