internal import PageTables

extension KernelText.Dialect {
  /// The dialect of an x86 release; that of 6.12 where it is not known.
  ///
  /// Source: arch/x86/mm/dump_pagetables.c and mm/ptdump.c. Seen in captures: 5.10, 6.1,
  /// 6.12 and 7.3; the others are read from those sources.
  package init(release: String? = nil) {
    self.init(x86: release.flatMap { KernelVersion(release: $0) } ?? KernelVersion(999, 0))
  }

  private init(x86 version: KernelVersion) {
    self.init(
      columns: Self.x86Columns(
        sharesPAT: version < KernelVersion(3, 19, 0),
        pat: version < KernelVersion(4, 4, 0) ? "pat" : "PAT"))
    printsNull = version >= KernelVersion(2, 6, 29) && version < KernelVersion(2, 6, 31)
    // Before, only an entry that is all zero has blank columns.
    blanksNotPresent = version >= KernelVersion(4, 15, 0)
    breaksOnEffective = version >= KernelVersion(4, 17, 0)
    // The PAT bit of large pages prints and ends a line.
    alsoCompared =
      version >= KernelVersion(4, 4, 0) && version < KernelVersion(5, 6, 0) ? 1 << 12 : 0
    // The walk of mm/ptdump.c skips the guard hole, and upper entries neither present nor large.
    // Before 2.6.27 the direct map starts in what is the guard hole since.
    skippedRootEntries = version >= KernelVersion(2, 6, 27) ? 16 : 0
    passesOverSkipped = version >= KernelVersion(5, 6, 0)
    printsInvalid = version >= KernelVersion(5, 6, 0) ? .set(1 << 7) : nil
  }

  /// What the look of a text tells.
  fileprivate init(_ evidence: KernelText.Evidence) {
    self.init(x86: KernelVersion(999, 0, 0))
    let isNarrow = evidence.widths & 1 << UInt64(Self.narrow) != 0
    columns = Self.x86Columns(
      sharesPAT: isNarrow, pat: isNarrow || evidence.hasOlderWord ? "pat" : "PAT")
    printsNull = evidence.hasNull
  }

  /// The bytes of the columns where PSE and PAT share one.
  private static let narrow = KernelText.Dialect(
    columns: x86Columns(sharesPAT: true, pat: "pat")
  ).width

  /// - Parameters:
  ///   - sharesPAT: PSE and PAT share one column (before 3.19).
  ///   - pat: what the PAT column says: `pat` before 4.4.
  fileprivate static func x86Columns(sharesPAT: Bool, pat: String) -> [KernelText.Column] {
    typealias Reading = KernelText.Column.Reading
    func bit(_ bit: UInt64, _ text: String, clear: String = "   ") -> KernelText.Column {
      KernelText.Column(Reading(.set(1 << bit), text), clear: clear)
    }
    let size = Reading(.set(1 << 7), "PSE", levels: 2...5)
    let patOfPage = Reading(.set(1 << 7), pat, levels: 1...1)
    let patOfLarge = Reading(.set(1 << 12), pat, levels: 2...5)
    let sizeAndPAT =
      sharesPAT
      ? [KernelText.Column(size, patOfPage)]
      : [KernelText.Column(size), KernelText.Column(patOfPage, patOfLarge)]
    return [
      bit(2, "USR"), bit(1, "RW", clear: "ro"), bit(3, "PWT"), bit(4, "PCD"),
    ] + sizeAndPAT + [bit(8, "GLB"), bit(63, "NX", clear: "x ")]
  }
}

extension KernelText.Grammar {
  /// What x86's dumps can say, 2.6.26 to 6.12.
  package static let x86 = KernelText.Grammar(
    format: .x86_64FiveLevel, levelNames: ["pte", "pmd", "pud", "p4d", "pgd"],
    columns: KernelText.Dialect.x86Columns(sharesPAT: false, pat: "PAT")
      + KernelText.Dialect.x86Columns(sharesPAT: false, pat: "pat"),
    implied: 1, unsure: 1 << 12, olderWords: ["pat"],
    gap: (0x0100_0000_0000_0000, 0xff00_0000_0000_0000), halfMarker: "Kernel Mapping",
    mode: x86Mode,
    dialect: { KernelText.Dialect($0) })

  @Sendable private static func x86Mode(_ evidence: KernelText.Evidence) -> TableFormat {
    guard evidence.is32Bit else {
      return evidence.levels & 1 << 4 != 0 ? .x86_64FiveLevel : .x86_64
    }
    // NX, a hole of a pmd table, and pages of 2M: two levels have none of them.
    let fourMegabytes: UInt64 = 4 << 20
    let isPAE =
      evidence.flags >> 63 != 0 || evidence.holeLevels & 1 << 2 != 0
      || evidence.edges % fourMegabytes != 0
    var mode: TableFormat = isPAE ? .i386PAE : .i386
    if let start = evidence.halfStart, TableFormat.i386Splits.contains(start) {
      mode.upperHalf = start
    }
    return mode
  }
}
