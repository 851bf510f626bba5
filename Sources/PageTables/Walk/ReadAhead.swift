/// Says which tables the walk comes to, before it does: the memory fetches them in the order of the
/// disk then, rather than one after the other.
struct ReadAhead: Sendable {
  /// The subtrees whose tables are asked for at once, some 512 MiB at most.
  static let together = 256

  /// Tables of which a level at most is looked through for what they lead to, where all are asked for.
  private static let mostLookedThrough = 4096

  private let mode: TableFormat
  private let memory: any PhysicalMemory

  init(_ mode: TableFormat, _ memory: any PhysicalMemory) {
    self.mode = mode
    self.memory = memory
  }

  /// Asks for some top tables and all that their user halves lead to, level by level, as long as they
  /// have to be waited for.
  func willReadUserHalves(of roots: [UInt64]) {
    var tables = roots
    for number in (1...mode.levels.count).reversed() {
      guard willRead(tables, level: number), number > 1 else { return }
      let isTop = number == mode.levels.count
      let entries = isTop && mode.hasOneRoot ? mode.root.index(of: mode.upperHalf) : nil
      tables = tables.prefix(Self.mostLookedThrough).flatMap {
        self.tables(below: $0, level: number, before: entries)
      }
      // Hostile tables lead to the same ones again and again.
      tables = Array(Set(tables))
    }
  }

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
    let size = UInt64(mode.bytes(ofTableOf: mode.level(Subtree.level - 1)))
    var (pairs, neighbours) = (0, 0)
    for tables in samples.map({ tables(below: $0.table) }) {
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
      tables(below: subtree.table, from: number, atMost: 1)
    }
    return willRead(samples, level: Subtree.level - 1)
  }

  /// Asks for what those tables lead to.
  func willRead(below subtrees: ArraySlice<Subtree>) {
    willRead(subtrees.flatMap { tables(below: $0.table) }, level: Subtree.level - 1)
  }

  /// What the entries of a table lead to, from one of them on, and then from the first.
  private func tables(
    below table: UInt64, level number: Int = Subtree.level, before end: Int? = nil,
    from first: Int = 0, atMost limit: Int = .max
  ) -> [UInt64] {
    let level = mode.level(number)
    let rooms = TableRooms(mode)
    guard let entries = unsafe try? rooms.entries(at: table, of: level, in: memory) else {
      return []
    }
    let count = unsafe end ?? entries.count
    var tables: [UInt64] = []
    for index in 0..<count {
      let entry = unsafe entries[(first + index) % count]
      guard level.classify(entry) == .table else { continue }
      tables.append(mode.tableField.address(in: entry))
      if tables.count == limit { break }
    }
    return tables
  }

  @discardableResult private func willRead(_ tables: [UInt64], level: Int) -> Bool {
    memory.willRead(tables, size: mode.bytes(ofTableOf: mode.level(level)))
  }
}
