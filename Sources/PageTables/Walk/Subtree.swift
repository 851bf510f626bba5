/// A table, and what its entries inherit: below the same table with other rights lie other mappings,
/// and other pointers to note.
struct TableKey: Hashable, Sendable {
  let address: UInt64
  let level: Int
  let inherited: Access
}

/// A pmd table and what the walk knows when it first comes to it.
struct Subtree: Sendable, Equatable {
  let table: UInt64
  let base: UInt64
  let inherited: Access
  let pointer: UInt64?
  /// The tables on the way to it.
  let path: [UInt64]

  /// The level of the tables below which subtrees are walked side by side: on x86-64 each maps 1 GiB.
  static let level = 2

  var key: TableKey { TableKey(address: table, level: Self.level, inherited: inherited) }
}

/// What was found below a subtree's table.
struct WalkedSubtree: Sendable {
  let subtree: Subtree
  let space: AddressSpace
  /// The tables of the lowest level that were read.
  let tables: FrameSet
}
