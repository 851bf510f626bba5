extension TableFormat {
  /// In the order of the columns of the kernel's text, then what the kernel does not print.
  static let x86Attributes: [Attribute] = [
    x86(2, "USR", "   ", gives: [.user, .executeInUser]),
    x86(1, "RW", "ro", gives: .write),
    x86(3, "PWT", "   "),
    x86(4, "PCD", "   "),
    x86(7, "PSE", "   ", levels: 2...5),
    x86(7, "PAT", "   ", levels: 1...1),
    x86(12, "PAT", "   ", levels: 2...3),
    x86(8, "GLB", "   ", isGlobal: true),
    x86(63, "NX", "x ", takes: [.executeInKernel, .executeInUser]),
    x86(0, "P", "", printed: false),
    x86(5, "A", "", printed: false, isIncidental: true),
    x86(6, "D", "", printed: false, isIncidental: true),
    x86(9, "SOFTW1", "", printed: false, isIncidental: true),
    x86(10, "SOFTW2", "", printed: false, isIncidental: true),
    x86(11, "SOFTW3", "", printed: false, isIncidental: true),
    x86(57, "SOFTW4", "", printed: false, isIncidental: true),
    x86(58, "SOFTW5", "", printed: false, isIncidental: true),
  ]

  /// An attribute of one bit, which leaves and table pointers have alike.
  private static func x86(
    _ bit: UInt64, _ set: String, _ clear: String, gives: Access = [], takes: Access = [],
    levels: ClosedRange<Int> = 1...5, printed: Bool = true, isIncidental: Bool = false,
    isGlobal: Bool = false
  ) -> Attribute {
    Attribute(
      .set(1 << bit), inTable: .set(1 << bit), gives: gives, takes: takes, set: set, clear: clear,
      levels: levels, printed: printed, isIncidental: isIncidental, isGlobal: isGlobal)
  }

  /// The index is PAT, PCD, PWT.
  ///
  /// Source: `pat_bp_init`, arch/x86/mm/pat/memtype.c, 6.12.
  static let x86MemoryTypes = MemoryTypes(
    inPage: [1 << 3, 1 << 4, 1 << 7], inLarge: [1 << 3, 1 << 4, 1 << 12],
    types: [
      .writeBack, .writeCombining, .uncachedMinus, .uncached, .writeBack, .writeProtected,
      .uncachedMinus, .writeThrough,
    ])

  /// One level of x86's tables: P says whether an entry counts, PSE whether one above the lowest
  /// level is a leaf.
  ///
  /// - Parameter something: the bits that make an entry above the lowest level more than a hole to
  ///   Linux (`pmd_none`, arch/x86/include/asm/pgtable.h, 6.12: a Knights Landing erratum sets A, D).
  static func x86Level(
    _ number: Int, _ name: String, holeName: String? = nil, shift: Int, entries: Int,
    mayBeLeaf: Bool = true, something: UInt64, reservedInTable: UInt64 = 0,
    reservedInLeaf: UInt64 = 0, frame: UInt64, grants: UInt64 = 0
  ) -> Level {
    let present: UInt64 = 1
    let pse: UInt64 = 1 << 7
    let span: UInt64 = 1 << UInt64(shift)
    return Level(
      number: number, name: name, holeName: holeName, shift: shift, entries: entries,
      mayBeLeaf: mayBeLeaf, valid: .set(present),
      table: number == 1
        ? .never : mayBeLeaf ? BitTest(mask: present | pse, value: present) : .set(present),
      hole: .clear(number == 1 ? ~0 : something), reservedInTable: reservedInTable,
      reservedInLeaf: reservedInLeaf,
      leafField: AddressField(mayBeLeaf ? frame & ~(span - 1) : frame), grants: grants)
  }

  /// The same mode where an address bit of the entries says that the memory is encrypted.
  ///
  /// Source: `sme_me_mask` and `__PHYSICAL_MASK`, arch/x86/include/asm/page_types.h, 6.12.
  ///
  /// - Parameter mask: that bit; nil is answered where it is none of an entry's upper address bits.
  package func encrypted(by mask: UInt64) -> TableFormat? {
    guard mask.nonzeroBitCount == 1, mask >= 1 << 32, tableField.mask & mask != 0 else {
      return nil
    }
    let flag = Attribute(.set(mask), inTable: .set(mask), set: "ENC", printed: false)
    return TableFormat(
      name: name, levels: levels.map { $0.withoutAddress(mask) }, attributes: attributes + [flag],
      tableField: tableField.without(mask), entrySize: entrySize, byteOrder: byteOrder,
      rootAlignment: rootAlignment, halves: halves, hasOneRoot: hasOneRoot, upperHalf: upperHalf,
      dumpedAccess: dumpedAccess,
      invertedFrame: invertedFrame == mask ? mask >> 1 : invertedFrame, encryption: mask,
      memoryTypes: memoryTypes)
  }
}
