extension TableFormat {
  /// x86-64 with four levels.
  ///
  /// Source: arch/x86/include/asm/pgtable_types.h, 6.12.
  package static let x86_64 = x86_64(levels: 4)
  /// x86-64 with five levels (CR4.LA57).
  package static let x86_64FiveLevel = x86_64(levels: 5)

  private static let frame: UInt64 = 0x000f_ffff_ffff_f000
  private static let pse: UInt64 = 1 << 7

  private static func x86_64(levels count: Int) -> TableFormat {
    func level(
      _ number: Int, _ name: String, shift: Int, mayBeLeaf: Bool = true, reserved: UInt64 = 0,
      reservedInTable: UInt64 = 0
    ) -> Level {
      x86Level(
        number, name, shift: shift, entries: 512, mayBeLeaf: mayBeLeaf, something: ~0x60,
        reservedInTable: reservedInTable, reservedInLeaf: reserved, frame: frame)
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
    return TableFormat(
      name: "x86-64 \(count)-level", levels: Array(all.prefix(count)), attributes: x86Attributes,
      tableField: AddressField(frame), entrySize: 8, rootAlignment: 4096,
      halves: .ends(bits: count == 5 ? 56 : 47),
      invertedFrame: 1 << 51, memoryTypes: x86MemoryTypes)
  }
}
