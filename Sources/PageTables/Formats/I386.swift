extension TableFormat {
  /// 32-bit x86 with two levels of 4-byte entries.
  package static let i386 = TableFormat(
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
    flags: x86Flags, present: 1, large: 1 << 7, write: 1 << 1, user: 1 << 2, global: 1 << 8,
    noExecute: 0, tableAddress: 0xffff_f000, entrySize: 4, upperHalf: 0xc000_0000,
    noneMask: ~0x60, dumpedEffective: 1 << 1 | 1 << 2)
}
