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
    /// The level's name stands before the columns, in capitals, and nothing pads a line's end.
    var namesLevelFirst = false
    /// Every line has the root's name for a level that others are folded into, not only a hole's.
    var namesByRoot = false
    /// The bits of an entry that the dumper looks at; nil for all that are no address.
    var compared: UInt64? = nil
    /// One line may be followed by two markers.
    var marksTwice = false
    /// Where nothing is mapped, nothing is printed.
    var printsHoles = true
    /// The last line ends at zero, wherever the tables end.
    var endsAtZero = false
    /// Addresses have `0x` before them.
    var prefixesAddresses = true

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
