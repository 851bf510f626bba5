extension TableFormat {
  /// 32-bit x86 with PAE: three levels of 8-byte entries, of which the top one has four.
  ///
  /// The kernel's dumper takes the top entries' missing RW and US for a ban (since 5.6), so that
  /// it sees no effective change but that of NX.
  package static let i386PAE = TableFormat(
    name: "i386 PAE",
    levels: [
      x86Level(1, "pte", shift: 12, entries: 512, something: something, frame: frame),
      x86Level(
        2, "pmd", shift: 21, entries: 512, something: something, reservedInLeaf: 0x001f_e000,
        frame: frame),
      // RW, US, D, PSE, G and the high bits; A is set by some processors.
      x86Level(
        3, "pgd", shift: 30, entries: 4, mayBeLeaf: false, something: something,
        reservedInTable: 0xfff0_0000_0000_01c6, frame: frame, grants: 1 << 1 | 1 << 2),
    ],
    attributes: x86Attributes, tableField: AddressField(frame), entrySize: 8, rootAlignment: 32,
    halves: .whole(bits: 32), upperHalf: 0xc000_0000, dumpedAccess: .executeInKernel,
    invertedFrame: 1 << 51, memoryTypes: x86MemoryTypes)

  private static let frame: UInt64 = 0x000f_ffff_ffff_f000
  private static let something: UInt64 = 0xffff_ff9f
}
