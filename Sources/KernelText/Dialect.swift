internal import PageTables

extension KernelText {
  /// How one range of kernel releases writes its dump.
  package struct Dialect: Sendable, Equatable {
    /// What a line says after its size, from left to right, a blank after each.
    package var columns: [Column]
    /// An address of zero prints as `(null)`.
    package internal(set) var printsNull = false
    /// An entry that is not valid has blank columns; only one that is all zero where not.
    package var blanksNotPresent = true
    /// A change of what upper levels allow ends a line.
    var breaksOnEffective = true
    /// Address bits of an entry that end a line all the same.
    package var alsoCompared: UInt64 = 0
    /// Entries above the lowest level that are not valid are passed over, unless they match.
    var printsInvalid: BitTest? = nil
    /// The root's entries from the upper half on that are taken for a hole.
    var skippedRootEntries: UInt64 = 0
    /// Whether those are passed over, and no hole is printed.
    var passesOverSkipped = true

    package init(columns: [Column]) { self.columns = columns }

    /// The bytes of all columns.
    var width: Int { columns.reduce(0) { $0 + $1.clear.utf8.count + 1 } }

    /// The addresses that the dumper takes for a hole.
    func skipped(_ mode: TableFormat) -> (first: UInt64, end: UInt64)? {
      guard mode.halves.count > 1, skippedRootEntries > 0 else { return nil }
      return (mode.upperHalf, mode.upperHalf &+ skippedRootEntries &* mode.root.span)
    }
  }
}
