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
      var numbers = (release ?? "").split(separator: ".").prefix(3).map { part in
        Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0
      }
      guard numbers.count >= 2, numbers[0] > 0 else { return }
      while numbers.count < 3 { numbers.append(0) }
      let version = (numbers[0], numbers[1], numbers[2])
      sharesPATColumn = version < (3, 19, 0)
      patName = version < (4, 4, 0) ? "pat" : "PAT"
      printsNull = version >= (2, 6, 29) && version < (2, 6, 31)
      blanksNotPresent = version >= (4, 15, 0)
      breaksOnEffective = version >= (4, 17, 0)
      showsLargePAT = version >= (4, 4, 0) && version < (5, 6, 0)
      isGenericWalk = version >= (5, 6, 0)
    }
  }
}
