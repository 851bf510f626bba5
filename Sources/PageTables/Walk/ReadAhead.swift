/// Says which tables the walk comes to, before it does: the memory fetches them in the order of the
/// disk then, rather than one after the other.
struct ReadAhead: Sendable {
  /// The subtrees whose tables are asked for at once, some 512 MiB at most.
  static let together = 256

  private let input: WalkInput

  init(_ input: WalkInput) { self.input = input }

  /// Whether the walk has to wait for tables that the system does not read ahead; asks for those that
  /// the subtrees begin with then.
  func isNeeded(by subtrees: [Subtree]) -> Bool {
    guard !subtrees.isEmpty, !isTogether(below: subtrees) else { return false }
    willRead(subtrees)
    return hasToWait(below: subtrees)
  }

  /// Whether what subtrees' tables lead to lies side by side, as far as four of them tell.
  ///
  /// The system reads ahead by itself then, and a request for a page would cut what it reads.
  private func isTogether(below subtrees: [Subtree]) -> Bool {
    let step = max(1, subtrees.count / 4)
    let samples = stride(from: 0, to: subtrees.count, by: step).map { subtrees[$0] }
    willRead(samples)
    let size = size(Subtree.level - 1)
    var (pairs, neighbours) = (0, 0)
    for tables in samples.map({ tables(below: $0) }) {
      pairs += max(1, tables.count) - 1
      neighbours += zip(tables, tables.dropFirst()).filter { $1 == $0 &+ size }.count
    }
    return pairs > 0 && neighbours >= pairs - pairs / 8
  }

  /// Asks for the tables that subtrees begin with.
  private func willRead(_ subtrees: [Subtree]) {
    willRead(subtrees.map(\.table), level: Subtree.level)
  }

  /// Whether what those tables lead to has to be waited for, as far as one of each tells.
  ///
  /// Lists of all are long.
  private func hasToWait(below subtrees: [Subtree]) -> Bool {
    let samples = subtrees.enumerated().flatMap { number, subtree in
      tables(below: subtree, from: number, atMost: 1)
    }
    return willRead(samples, level: Subtree.level - 1)
  }

  /// Asks for what those tables lead to.
  func willRead(below subtrees: ArraySlice<Subtree>) {
    willRead(subtrees.flatMap { tables(below: $0) }, level: Subtree.level - 1)
  }

  /// What the entries of a subtree's table lead to, from one of them on, and then from the first.
  private func tables(
    below subtree: Subtree, from first: Int = 0, atMost limit: Int = .max
  ) -> [UInt64] {
    let level = input.mode.level(Subtree.level)
    let rooms = TableRooms(input.mode)
    guard let entries = unsafe try? rooms.entries(at: subtree.table, of: level, in: input.memory)
    else { return [] }
    var tables: [UInt64] = []
    for index in unsafe 0..<entries.count {
      let entry = unsafe entries[(first + index) % entries.count]
      guard level.classify(entry) == .table else { continue }
      tables.append(input.mode.tableField.address(in: entry))
      if tables.count == limit { break }
    }
    return tables
  }

  @discardableResult private func willRead(_ tables: [UInt64], level: Int) -> Bool {
    input.memory.willRead(tables, size: Int(size(level)))
  }

  /// The bytes of a table of a level.
  private func size(_ level: Int) -> UInt64 {
    UInt64(input.mode.level(level).entries * input.mode.entrySize)
  }
}
