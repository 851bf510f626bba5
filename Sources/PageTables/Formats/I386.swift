extension TableFormat {
  /// 32-bit x86 with two levels of 4-byte entries.
  package static let i386 = TableFormat(
    name: "i386 2-level",
    levels: [
      x86Level(1, "pte", shift: 12, entries: 1024, something: ~0x60, frame: 0xffff_f000),
      // Bits 13 to 20 would be address bits 32 to 39 (PSE-36), which Linux leaves clear.
      x86Level(
        2, "pmd", holeName: "pgd", shift: 22, entries: 1024, something: ~0x60,
        reservedInLeaf: 0x003f_e000, frame: 0xffff_f000),
    ],
    attributes: x86Attributes, tableField: AddressField(0xffff_f000), entrySize: 4,
    rootAlignment: 4096, halves: .whole(bits: 32), upperHalf: 0xc000_0000,
    dumpedAccess: [.write, .user], memoryTypes: x86MemoryTypes)

  /// Where kernels of 32 bits may split the address space.
  ///
  /// Source: `CONFIG_PAGE_OFFSET`, arch/x86/Kconfig, 2.6.26 and 6.12.
  package static let i386Splits: [UInt64] = [
    0xc000_0000, 0xb000_0000, 0x8000_0000, 0x7800_0000, 0x4000_0000,
  ]
}
