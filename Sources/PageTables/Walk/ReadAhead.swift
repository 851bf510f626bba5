/// Says which tables the walk comes to, before it does: the memory fetches them in the order of the
/// disk then, rather than one after the other.
struct ReadAhead {
  /// The subtrees whose tables are asked for at once, some 512 MiB at most.
  static let together = 256

  private let input: WalkInput
  private let rooms: TableRooms

  init(_ input: WalkInput) {
    self.input = input
    rooms = TableRooms(input.mode)
  }

  /// Asks for the tables that subtrees begin with.
  func willRead(_ subtrees: [Subtree]) {
    willRead(subtrees.map(\.table), level: Subtree.level)
  }

  /// Asks for what those tables lead to.
  func willRead(below subtrees: ArraySlice<Subtree>) {
    let level = input.mode.level(Subtree.level)
    var tables: [UInt64] = []
    for subtree in subtrees {
      guard
        let entries = unsafe try? rooms.entries(at: subtree.table, of: level, in: input.memory)
      else { continue }
      for index in unsafe 0..<entries.count {
        let entry = unsafe entries[index]
        guard level.classify(entry) == .table else { continue }
        tables.append(input.mode.tableField.address(in: entry))
      }
    }
    willRead(tables, level: Subtree.level - 1)
  }

  private func willRead(_ tables: [UInt64], level number: Int) {
    let size = input.mode.level(number).entries * input.mode.entrySize
    input.memory.willRead(tables, size: size)
  }
}
