extension TableFormat {
  /// 32-bit x86 with PAE: three levels of 8-byte entries, of which the top one has four.
  ///
  /// The kernel's dumper takes the top entries' missing RW and US for a ban (since 5.6), so that
  /// it sees no effective change but that of NX.
  package static let i386PAE = TableFormat(
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
    flags: x86Flags, present: 1, large: 1 << 7, write: 1 << 1, user: 1 << 2, global: 1 << 8,
    noExecute: 1 << 63, tableAddress: frame, entrySize: 8, upperHalf: 0xc000_0000,
    noneMask: 0xffff_ff9f, dumpedEffective: 1 << 63)

  private static let frame: UInt64 = 0x000f_ffff_ffff_f000
}
