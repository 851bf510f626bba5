/// Lists the subtrees that can be walked side by side, in the order in which the walk comes to them.
struct SubtreeLister {
  private let input: WalkInput
  private let rooms: TableRooms
  private var reached: Set<TableKey> = []
  private var path: [UInt64] = []
  private(set) var subtrees: [Subtree] = []

  init(_ input: WalkInput) {
    self.input = input
    rooms = TableRooms(input.mode)
  }

  /// Lists the subtrees below a table: each that is reached with the same rights once.
  mutating func list(
    _ table: UInt64, level number: Int, base: UInt64, inherited: Access = .all,
    pointer: UInt64? = nil
  ) {
    guard reached.insert(TableKey(address: table, level: number, inherited: inherited)).inserted
    else { return }
    if number == Subtree.level {
      subtrees.append(
        Subtree(table: table, base: base, inherited: inherited, pointer: pointer, path: path))
      return
    }
    let mode = input.mode
    let level = mode.level(number)
    // A page fault would read what lies around it, too.
    input.memory.willRead([table], size: mode.bytes(ofTableOf: level))
    guard let entries = unsafe try? rooms.entries(at: table, of: level, in: input.memory) else {
      return
    }
    path.append(table)
    defer { path.removeLast() }
    for index in 0..<level.entries {
      let entry = unsafe entries[index]
      let start = base &+ UInt64(index) &* level.span
      if input.end != 0, number == mode.levels.count, mode.canonical(start) >= input.end { break }
      guard level.classify(entry) == .table, entry & level.reservedInTable == 0 else { continue }
      let next = mode.tableField.address(in: entry)
      guard input.shadow?.tables[number - 1] != next, !path.contains(next) else { continue }
      list(
        next, level: number - 1, base: start,
        inherited: inherited.intersection(level.tableRights.access(entry)), pointer: entry)
    }
  }
}
