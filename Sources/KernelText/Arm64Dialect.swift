package import PageTables

extension TableFormat.Arm64MemoryOrder {
  /// The order of a release; the newest where it is not known.
  package init(_ version: KernelVersion?) {
    self =
      version.map {
        $0 < KernelVersion(5, 10)
          ? .devicesFirst : $0 < KernelVersion(5, 14) ? .normalFirst : .newest
      } ?? .newest
  }
}

extension KernelText.Dialect {
  /// The dialect of an arm64 release; that of the newest where it is not known.
  ///
  /// Sources: arch/arm64/mm/dump.c, 4.14 and 5.9; arch/arm64/mm/ptdump.c, 5.10, 6.12 and 7.3.
  package static func arm64(release: String? = nil) -> KernelText.Dialect {
    let version = release.flatMap { KernelVersion(release: $0) } ?? KernelVersion(999, 0)
    let order = TableFormat.Arm64MemoryOrder(version)
    // GRE went with WT, tags came with 5.10.
    let types = order.names.enumerated().filter { $0.element != "MEM/NORMAL-WT" }
    var dialect = arm64(
      types: types.map { ($0.offset, $0.element) }, hasGP: version >= KernelVersion(5, 8),
      // Before 6.15 a block is whatever has the bit clear, an entry that does not count, too.
      block: version >= KernelVersion(6, 15) ? BitTest(mask: 3, value: 1) : .clear(1 << 1))
    dialect.printsHoles = version >= KernelVersion(5, 7)
    dialect.namesByRoot = version < KernelVersion(6, 9)
    // The end of user space and EFI's (seen in 6.12.117).
    dialect.endsAtZero = version < KernelVersion(6, 12)
    // Source: `pmd_leaf`, arch/arm64/include/asm/pgtable.h, 6.12: entries that Linux made invalid.
    dialect.printsInvalid =
      version >= KernelVersion(6, 11) ? BitTest(mask: 1 | 1 << 11, value: 1 << 11) : .never
    return dialect
  }

  /// What the look of a text tells.
  fileprivate static func arm64(_ evidence: KernelText.Evidence) -> KernelText.Dialect {
    let widths = evidence.widths
    // The columns before the type's are as wide as those that there are.
    let isOld = widths & (1 << 38 | 1 << 34) != 0 && widths & 1 << 41 == 0
    let names = TableFormat.Arm64MemoryOrder.newest.names
    var dialect = arm64(
      types: names.enumerated().map { ($0.offset, $0.element) }
        + (evidence.hasOlderWord ? [(names.count, "DEVICE/GRE")] : []),
      hasGP: !isOld, block: .clear(1 << 1))
    dialect.printsHoles = evidence.holeLevels != 0
    dialect.endsAtZero = false
    dialect.prefixesAddresses = !evidence.isBare
    return dialect
  }

  /// - Parameters:
  ///   - types: each type's index and name.
  ///   - hasGP: there is a column for guarded pages, and one as wide where UXN is not.
  ///   - block: what is taken for a block.
  fileprivate static func arm64(
    types: [(Int, String)], hasGP: Bool, block: BitTest
  ) -> KernelText.Dialect {
    typealias Reading = KernelText.Column.Reading
    func bits(_ bits: UInt64, _ set: String, clear: String) -> KernelText.Column {
      KernelText.Column(Reading(.set(bits), set), clear: clear)
    }
    let columns = [
      bits(1, " ", clear: "F"), bits(1 << 6, "USR", clear: "   "),
      bits(1 << 7, "ro", clear: "RW"), bits(1 << 53, "NX", clear: "x "),
      bits(3 << 8, "SHD", clear: "   "), bits(1 << 10, "AF", clear: "  "),
      bits(1 << 11, "NG", clear: "  "), bits(1 << 52, "CON", clear: "   "),
      KernelText.Column(Reading(block, "BLK"), clear: "   "),
      bits(1 << 54, "UXN", clear: hasGP ? "   " : ""),
    ]
    let type = KernelText.Column(
      types.map { Reading(BitTest(mask: 7 << 2, value: UInt64($0) << 2), $1) }, clear: "")
    var dialect = KernelText.Dialect(
      columns: columns + (hasGP ? [bits(1 << 50, "GP", clear: "  ")] : []) + [type])
    dialect.blanksNotPresent = false
    dialect.breaksOnEffective = false
    dialect.namesLevelFirst = true
    dialect.marksTwice = true
    dialect.compared = 0x0070_0000_0000_0fdf | (hasGP ? 1 << 50 : 0)
    return dialect
  }
}

extension KernelText.Grammar {
  /// What arm64's dumps can say, 4.4 to 7.3: of the kernel, of a process, of EFI.
  ///
  /// Types of memory stand for their numbers in the newest order; GRE, which that has not, for one
  /// that the newest kernels take for a device's, too.
  package static let arm64: KernelText.Grammar = {
    let names = TableFormat.Arm64MemoryOrder.newest.names
    let dialect = KernelText.Dialect.arm64(
      types: names.enumerated().map { ($0.offset, $0.element) } + [(names.count, "DEVICE/GRE")],
      hasGP: true, block: .clear(1 << 1))
    return KernelText.Grammar(
      format: .arm64(.fourK, bits: 48), levelNames: ["PTE", "PMD", "PUD", "P4D", "PGD"],
      columns: dialect.columns, implied: 0, valid: .set(1), olderWords: ["DEVICE/GRE"],
      gap: (0, ~0), namesLevelFirst: true, mayLackHoles: true,
      wholeMarkers: ["kernel mapping", "linear mapping", "linear mapping start"].map {
        ["modules start", "vmalloc() area", $0]
      } + [["uefi runtime start", "uefi runtime end"]], mode: arm64Mode,
      dialect: { KernelText.Dialect.arm64($0) })
  }()

  /// Those that the program knows.
  package static let all: [KernelText.Grammar] = [.x86, .arm64]

  /// That in which kernels print tables of a format.
  package static func of(_ mode: TableFormat) -> KernelText.Grammar {
    mode.isArm64 ? .arm64 : .x86
  }

  /// The largest granule that the steps of the lines and the number of their levels allow.
  private static func arm64Granule(
    _ evidence: KernelText.Evidence, levels: Int
  ) -> TableFormat.Arm64Granule {
    let pages = evidence.lowestEdges.trailingZeroBitCount
    let blocks = evidence.edges.trailingZeroBitCount
    if levels > 4 || pages < 14 || blocks < 25 || evidence.lowestEdges | evidence.edges == 0 {
      return .fourK
    }
    if pages < 16 || blocks < 29 { return .sixteenK }
    return levels > 3 ? .fourK : .sixtyFourK
  }

  /// The granule by the steps of the lines, the width by the first address, the half by where lines
  /// map something.
  @Sendable private static func arm64Mode(_ evidence: KernelText.Evidence) -> TableFormat {
    let isLower = evidence.firstUpper == nil
    // A block of a level that is folded has the name of the lower one.
    let seen = evidence.holeLevels | evidence.levels & ~(1 << 2)
    let least = ((2...4).last(where: { seen & 1 << UInt8($0) != 0 }) ?? 1) + 1
    let granule = arm64Granule(evidence, levels: least)
    let bits =
      64
      - (evidence.firstUpper.map { (~$0).leadingZeroBitCount }
        ?? (evidence.lastLower &- 1).leadingZeroBitCount)
    let formats = granule.widths.map { TableFormat.arm64(granule, bits: $0) }
    let format =
      formats.first { $0.addressBits >= bits && $0.levels.count >= least }
      ?? formats[formats.count - 1]
    return isLower ? format.arm64Lower : format
  }
}
