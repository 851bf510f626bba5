extension TableFormat {
  /// How Linux numbers the types of memory that the entries' AttrIndx bits choose.
  ///
  /// Source: `MT_NORMAL` and its kin, arch/arm64/include/asm/memory.h, 4.9, 5.10 and 6.12. The order
  /// changed in 5.10 (0178dc761368, memory tags) and in 5.14 (GRE and WT removed).
  package enum Arm64MemoryOrder: Sendable, CaseIterable {
    /// To 5.9.
    case devicesFirst
    /// 5.10 to 5.13.
    case normalFirst
    /// Since 5.14.
    case newest

    /// The types' names as the kernel prints them.
    package var names: [String] {
      switch self {
      case .devicesFirst:
        [
          "DEVICE/nGnRnE", "DEVICE/nGnRE", "DEVICE/GRE", "MEM/NORMAL-NC", "MEM/NORMAL",
          "MEM/NORMAL-WT",
        ]
      case .normalFirst:
        [
          "MEM/NORMAL", "MEM/NORMAL-TAGGED", "MEM/NORMAL-NC", "MEM/NORMAL-WT", "DEVICE/nGnRnE",
          "DEVICE/nGnRE", "DEVICE/GRE",
        ]
      case .newest:
        ["MEM/NORMAL", "MEM/NORMAL-TAGGED", "MEM/NORMAL-NC", "DEVICE/nGnRnE", "DEVICE/nGnRE"]
      }
    }

    /// What the types do to caches; tags change nothing of that.
    ///
    /// Linux leaves the other numbers zero in MAIR_EL1, which makes them Device-nGnRnE.
    var memoryTypes: MemoryTypes {
      let bits: [UInt64] = [1 << 2, 1 << 3, 1 << 4]
      let types: [MemoryType] = names.map { name in
        switch name {
        case "MEM/NORMAL", "MEM/NORMAL-TAGGED": .writeBack
        case "MEM/NORMAL-NC": .writeCombining
        case "MEM/NORMAL-WT": .writeThrough
        default: .uncached
        }
      }
      return MemoryTypes(
        inPage: bits, inLarge: bits,
        types: types + Array(repeating: .uncached, count: 8 - types.count))
    }
  }

  /// In the order of the columns of the kernel's text, then what the kernel does not print.
  ///
  /// Sources: arch/arm64/include/asm/pgtable-hwdef.h and pgtable-prot.h, arch/arm64/mm/ptdump.c,
  /// 6.12. What a table pointer takes from all below it stands in other bits than a leaf's.
  static func arm64Attributes(
    _ granule: Arm64Granule, bits: Int, _ order: Arm64MemoryOrder
  ) -> [Attribute] {
    // LPA2 has address bits in the place of the shareability.
    let shared: [Attribute] =
      granule.hasLPA2(bits) ? [] : [Attribute(.set(3 << 8), set: "SHD", clear: "   ")]
    return [
      Attribute(.set(1), inTable: .set(1), set: "V", clear: "F"),
      Attribute(.set(1 << 6), gives: .user, set: "USR", clear: "   "),
      Attribute(.clear(1 << 7), gives: .write, set: "RW", clear: "ro"),
      Attribute(.set(1 << 53), takes: .executeInKernel, set: "NX", clear: "x "),
    ] + shared + [
      Attribute(.set(1 << 10), set: "AF", clear: "  "),
      Attribute(.set(1 << 11), set: "NG", clear: "  "),
      Attribute(.set(1 << 52), set: "CON", clear: "   "),
      Attribute(.clear(1 << 1), set: "BLK", clear: "   ", levels: 2...7),
      Attribute(.set(1 << 54), takes: .executeInUser, set: "UXN", clear: "   "),
      Attribute(.set(1 << 50), set: "GP", clear: "  "),
    ]
      + order.names.enumerated().map { index, name in
        Attribute(BitTest(mask: 7 << 2, value: UInt64(index) << 2), set: name)
      } + arm64Unprinted
  }

  private static let arm64Unprinted: [Attribute] = [
    Attribute(.clear(1 << 11), set: "G", printed: false, isGlobal: true),
    Attribute(.set(1 << 51), set: "DBM", printed: false),
    Attribute(.set(1 << 55), set: "DIRTY", printed: false, isIncidental: true),
    Attribute(.set(1 << 56), set: "SPECIAL", printed: false, isIncidental: true),
    Attribute(.set(1 << 57), set: "DEVMAP", printed: false, isIncidental: true),
    Attribute(.set(1 << 58), set: "UFFD_WP", printed: false, isIncidental: true),
    Attribute(
      .never, inTable: .set(1 << 59), takes: .executeInKernel, set: "PXNTable", printed: false),
    Attribute(
      .never, inTable: .set(1 << 60), takes: .executeInUser, set: "UXNTable", printed: false),
    Attribute(.never, inTable: .set(1 << 61), takes: .user, set: "NoEL0Table", printed: false),
    Attribute(.never, inTable: .set(1 << 62), takes: .write, set: "ROTable", printed: false),
  ]
}
