extension TableFormat {
  /// The bytes of arm64's smallest page, by which all of its tables are laid out.
  package enum Arm64Granule: Int, Sendable, CaseIterable {
    case fourK = 12
    case sixteenK = 14
    case sixtyFourK = 16

    /// As names of modes have it.
    package var name: String {
      switch self {
      case .fourK: "4k"
      case .sixteenK: "16k"
      case .sixtyFourK: "64k"
      }
    }

    /// The widths of virtual addresses that Linux runs with.
    ///
    /// Source: `ARM64_VA_BITS`, arch/arm64/Kconfig, 6.12.
    package var widths: [Int] {
      switch self {
      case .fourK: [39, 48, 52]
      case .sixteenK: [36, 47, 48, 52]
      case .sixtyFourK: [42, 48, 52]
      }
    }

    /// Whether addresses of 52 bits change the place of the upper ones in an entry (LPA2).
    ///
    /// With 64K they always stand where no smaller address has anything (LPA).
    func hasLPA2(_ bits: Int) -> Bool { self != .sixtyFourK && bits > 48 }

    /// The number of the highest level whose entries may be blocks.
    ///
    /// Source: Arm ARM, D8.3.1: level 1 of 4K, level 2 of 16K; one more with LPA2, and with LPA.
    func highestBlock(_ bits: Int) -> Int {
      switch self {
      case .fourK: hasLPA2(bits) ? 4 : 3
      case .sixteenK: hasLPA2(bits) ? 3 : 2
      case .sixtyFourK: bits > 48 ? 3 : 2
      }
    }

    /// Where an entry has an address.
    func field(_ bits: Int) -> AddressField {
      let bottom: UInt64 = ~0 << UInt64(rawValue)
      if self == .sixtyFourK {
        // Bits 51 to 48 stand in bits 15 to 12; with less than 52 address bits these are clear.
        return AddressField(
          .init(mask: 0x0000_ffff_ffff_ffff & bottom), .init(mask: 0xf000, shift: 36))
      }
      guard hasLPA2(bits) else { return AddressField(0x0000_ffff_ffff_ffff & bottom) }
      return AddressField(
        .init(mask: 0x0003_ffff_ffff_ffff & bottom), .init(mask: 0x300, shift: 42))
    }
  }

  /// The tables of arm64: of one granule and width of virtual addresses, a root for each half.
  ///
  /// The levels have the names that Linux gives them where so many are in use: the lowest is the pte,
  /// the top one the pgd. Sources: Arm ARM, D8.2 and D8.3; arch/arm64/include/asm/pgtable-hwdef.h,
  /// 6.12.
  ///
  /// - Parameters:
  ///   - bits: the width with which the kernel runs: 64 - TCR_EL1.T1SZ.
  ///   - order: how Linux numbers the types of memory.
  package static func arm64(
    _ granule: Arm64Granule, bits: Int, order: Arm64MemoryOrder = .newest
  ) -> TableFormat {
    arm64(
      "arm64 \(granule.name.uppercased()) \(bits)-bit", granule, bits: bits,
      attributes: arm64Attributes(granule, bits: bits, order), halves: .ends(bits: bits),
      hasOneRoot: false, memoryTypes: order.memoryTypes)
  }

  /// All that Linux runs with.
  package static let arm64Formats: [TableFormat] = Arm64Granule.allCases.flatMap { granule in
    granule.widths.map { arm64(granule, bits: $0) }
  }

  /// Names of modes, for `named`.
  static let arm64Named: [(name: String, mode: @Sendable () -> TableFormat)] =
    Arm64Granule.allCases.flatMap { granule in
      granule.widths.map { bits in
        ("arm64-\(granule.name)-\(bits)", { @Sendable in arm64(granule, bits: bits) })
      }
    }
    + Arm64Granule.allCases.map { granule in
      ("arm64-\(granule.name)-stage2", { @Sendable in arm64Stage2(granule) })
    }

  /// The tables of a half that has no kernel in it: a process's, or EFI's.
  ///
  /// What they map starts at zero, where the other half's has its end at the top.
  package var arm64Lower: TableFormat {
    TableFormat(
      name: name, levels: levels, attributes: attributes, tableField: tableField,
      entrySize: entrySize, byteOrder: byteOrder, rootAlignment: rootAlignment,
      halves: Array(halves.prefix(1)), hasOneRoot: true, upperHalf: halves[0].last &+ 1,
      dumpedAccess: dumpedAccess, memoryTypes: memoryTypes)
  }

  /// Whether its tables are laid out as arm64's, of either stage.
  package var isArm64: Bool { name.hasPrefix("arm64 ") }

  /// How many neighbouring entries of a level one translation may hold; the contiguous bit says so.
  ///
  /// Source: `CONT_PTES` and `CONT_PMDS`, arch/arm64/include/asm/pgtable-hwdef.h, 6.12; zero at levels
  /// at which Linux makes no such groups.
  package func arm64ContiguousEntries(level: Int) -> Int {
    switch (granule.trailingZeroBitCount, level) {
    case (12, 1...2): 16
    case (14, 1): 128
    case (14, 2): 32
    case (16, 1...2): 32
    default: 0
    }
  }

  static func arm64(
    _ name: String, _ granule: Arm64Granule, bits: Int, attributes: [Attribute],
    halves: [AddressHalf], hasOneRoot: Bool, memoryTypes: MemoryTypes?
  ) -> TableFormat {
    let perLevel = granule.rawValue - 3
    let count = (bits - granule.rawValue + perLevel - 1) / perLevel
    let names = ["pte", "pmd", "pud", "p4d"].prefix(count - 1) + ["pgd"]
    let field = granule.field(bits)
    let levels = (1...count).map { number in
      let shift = granule.rawValue + (number - 1) * perLevel
      return arm64Level(
        // Two levels print blocks by the name of the lower one of those folded, holes by the root's.
        number, count == 2 && number == 2 ? "pmd" : names[number - 1],
        holeName: number == count ? "pgd" : nil, shift: shift,
        entries: 1 << min(perLevel, bits - shift), field: field,
        mayBeLeaf: number <= granule.highestBlock(bits))
    }
    return TableFormat(
      name: name, levels: levels, attributes: attributes, tableField: field, entrySize: 8,
      // A table of less than a page needs no more than its own size, or 64 bytes.
      rootAlignment: UInt64(max(64, 8 << (bits - granule.rawValue - (count - 1) * perLevel))),
      halves: halves, hasOneRoot: hasOneRoot, memoryTypes: memoryTypes)
  }

  /// One level of arm64's tables: bits 1 and 0 of an entry are 01 for a block, 11 for a table or, at
  /// the lowest level, a page.
  ///
  /// 01 counts for nothing where no block may be; an entry with bit 0 clear never counts.
  private static func arm64Level(
    _ number: Int, _ name: String, holeName: String?, shift: Int, entries: Int,
    field: AddressField, mayBeLeaf: Bool
  ) -> Level {
    let table = BitTest.set(3)
    let bottom: UInt64 = ~0 << UInt64(shift)
    // Bits 49 and 48 are addresses with LPA2 alone.
    let above: UInt64 = 0x0003_0000_0000_0000 & ~field.low.mask
    let isBlock = number > 1 && mayBeLeaf
    return Level(
      number: number, name: name, holeName: holeName, shift: shift, entries: entries,
      mayBeLeaf: number == 1 || mayBeLeaf, valid: isBlock ? .set(1) : table,
      table: number == 1 ? .never : table, hole: .clear(~0), reservedInTable: above,
      reservedInLeaf: above | field.low.mask & ~bottom,
      leafField: AddressField(
        .init(mask: field.low.mask & bottom, shift: field.low.shift), field.high))
  }
}
