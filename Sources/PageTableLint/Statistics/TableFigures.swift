internal import PageTables

/// One table of several, in a line.
struct TableFigures: Sendable, Codable {
  let table: TableID
  /// Its physical address; nil for a text.
  let root: UInt64?
  /// In bytes.
  let mapped: UInt64
  let writableExecutablePages: UInt64

  init(_ table: Table) {
    self.table = table.id
    root = table.root
    mapped = table.space.runs.reduce(0) { $0 &+ ($1.isLeaf ? $1.size : 0) }
    writableExecutablePages = WritableExecutable(table).pages
  }
}
