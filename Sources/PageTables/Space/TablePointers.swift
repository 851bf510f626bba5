/// An entry that leads to a table.
package struct TablePointer: Sendable, Equatable {
  /// The first virtual address below it.
  package let address: UInt64
  /// The physical address of the table that holds the entry.
  package let parent: UInt64
  package let entry: UInt64
  private let number: UInt8
  private let shift: UInt8

  /// The level of the entry; the table that it leads to has the one below.
  package var level: Int { Int(number) }
  /// The last virtual address below it.
  package var last: UInt64 { address &+ (1 << UInt64(shift) &- 1) }

  package init(address: UInt64, parent: UInt64, entry: UInt64, level: TableFormat.Level) {
    self.init(
      address: address, parent: parent, entry: entry, number: level.number, shift: level.shift)
  }

  init(address: UInt64, parent: UInt64, entry: UInt64, number: Int, shift: Int) {
    self.address = address
    self.parent = parent
    self.entry = entry
    self.number = UInt8(truncatingIfNeeded: number)
    self.shift = UInt8(truncatingIfNeeded: shift)
  }

  /// The pointer `steps` entries on, where each leads one page further than the one before.
  fileprivate func advanced(by steps: UInt32) -> TablePointer {
    TablePointer(
      address: address &+ UInt64(steps) << UInt64(shift), parent: parent,
      entry: entry &+ UInt64(steps) << 12, number: level, shift: Int(shift))
  }
}

/// Table pointers, of which neighbours that lead to neighbours are kept as one.
package struct TablePointers: Sendable, Sequence {
  /// `count` entries side by side in one table: each leads one page further than the one before.
  fileprivate struct Stretch {
    let first: TablePointer
    var count: UInt32
  }

  private var stretches: [Stretch] = []
  package private(set) var count = 0

  package init() {}

  package init(_ pointers: some Sequence<TablePointer>) {
    for pointer in pointers { append(pointer) }
  }

  package mutating func append(_ pointer: TablePointer) {
    count += 1
    if let last = stretches.last, last.first.advanced(by: last.count) == pointer {
      stretches[stretches.count - 1].count += 1
    } else {
      stretches.append(Stretch(first: pointer, count: 1))
    }
  }

  mutating func append(_ others: TablePointers) {
    stretches += others.stretches
    count += others.count
  }

  /// The physical addresses of the tables that are led to, in ascending order.
  ///
  /// - Parameter address: the bits of an entry that hold the table's address.
  package func targets(_ address: UInt64) -> [ClosedRange<UInt64>] {
    stretches.map { stretch in
      let first = stretch.first.entry & address
      return first...(first &+ UInt64(stretch.count) << 12 &- 1)
    }.sorted { $0.lowerBound < $1.lowerBound }
  }

  package struct Iterator: IteratorProtocol {
    private let stretches: [Stretch]
    private var stretch = 0
    private var step: UInt32 = 0

    fileprivate init(_ stretches: [Stretch]) { self.stretches = stretches }

    package mutating func next() -> TablePointer? {
      guard stretch < stretches.count else { return nil }
      let pointer = stretches[stretch].first.advanced(by: step)
      step += 1
      if step == stretches[stretch].count {
        stretch += 1
        step = 0
      }
      return pointer
    }
  }

  package func makeIterator() -> Iterator { Iterator(stretches) }
}
