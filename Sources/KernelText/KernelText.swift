package import PageTables

/// A text dump of page tables, as debugfs and printk write it: lines and markers.
///
/// Source: arch/x86/mm/dump_pagetables.c, 2.6.26 to 6.12.
package struct KernelText: Sendable {
  /// A marker line, `---[ NAME ]---`, and the index of the run that follows it.
  package struct Marker: Sendable, Equatable {
    package let name: String
    package let run: Int
    /// The line of the text, from 1; nil in a text that was not read.
    package let line: Int?
  }

  /// A line that says how many lines of an area were left out before the run of that index.
  package struct Skip: Sendable, Equatable {
    package let count: Int
    package let run: Int
  }

  package let space: AddressSpace
  package let markers: [Marker]
  package let skips: [Skip]
  package let dialect: Dialect
  /// For each run the line it was read from, counted from 1; the last number for those behind it.
  package let lines: [UInt32]
  /// How many lines are neither blank nor a dump's.
  package private(set) var otherLines = 0
  /// Whether the text is an excerpt: quoted, elided, or not from one end to the other.
  package let elided: Bool
}
