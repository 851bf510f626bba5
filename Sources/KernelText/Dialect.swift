internal import PageTables

extension KernelText {
  /// How one range of kernel releases writes its dump (x86).
  ///
  /// Source: arch/x86/mm/dump_pagetables.c and mm/ptdump.c. Seen in captures: 6.1 and 6.12; the
  /// others are read from those sources.
  package struct Dialect: Sendable, Equatable {
    /// PSE and PAT share one column (before 3.19).
    var sharesPATColumn = false
    /// What the PAT column says: `pat` before 4.4.
    var patName = "PAT"
    /// An address of zero prints as `(null)` (2.6.29 and 2.6.30).
    var printsNull = false
    /// An entry whose present bit is clear has blank columns (4.15); before, one that is all zero.
    package var blanksNotPresent = true
    /// A change of what upper levels allow ends a line (4.17).
    var breaksOnEffective = true
    /// The PAT bit of large pages prints and ends a line (4.4 to 5.5).
    package var showsLargePAT = false
    /// The walk of mm/ptdump.c (5.6), which skips the guard hole, and upper entries that are
    /// neither present nor large.
    var isGenericWalk = true

    /// The bytes of the columns of a line in which PSE and PAT share one.
    static let narrow = 26

    package init() {}

    /// What the look of a text tells.
    init(isNarrow: Bool, hasLowerPAT: Bool, hasNull: Bool) {
      sharesPATColumn = isNarrow
      patName = isNarrow || hasLowerPAT ? "pat" : "PAT"
      printsNull = hasNull
    }

    /// The dialect of a release; that of 6.12 where it is not known.
    package init(release: String?) {
      guard let version = release.flatMap({ KernelVersion(release: $0) }) else { return }
      sharesPATColumn = version < KernelVersion(3, 19)
      patName = version < KernelVersion(4, 4) ? "pat" : "PAT"
      printsNull = version >= KernelVersion(2, 6, 29) && version < KernelVersion(2, 6, 31)
      blanksNotPresent = version >= KernelVersion(4, 15)
      breaksOnEffective = version >= KernelVersion(4, 17)
      showsLargePAT = version >= KernelVersion(4, 4) && version < KernelVersion(5, 6)
      isGenericWalk = version >= KernelVersion(5, 6)
    }
  }
}
