/// An entry that leads to a table.
package struct TablePointer: Sendable, Equatable {
  /// The first virtual address below it.
  package let address: UInt64
  /// The physical address of the table that holds the entry.
  package let parent: UInt64
  package let entry: UInt64
  private let number: UInt8
  private let shift: UInt8
  // What an entry gains where its table lies one further on, as a power of two.
  private let step: UInt8

  /// The level of the entry; the table that it leads to has the one below.
  package var level: Int { Int(number) }
  /// The last virtual address below it.
  package var last: UInt64 { address &+ (1 << UInt64(shift) &- 1) }

  package init(address: UInt64, parent: UInt64, entry: UInt64, level: TableFormat.Level) {
    self.address = address
    self.parent = parent
    self.entry = entry
    number = UInt8(truncatingIfNeeded: level.number)
    shift = UInt8(truncatingIfNeeded: level.shift)
    step = UInt8(truncatingIfNeeded: level.tableStep)
  }

  private init(_ first: TablePointer, steps: UInt64) {
    address = first.address &+ steps << UInt64(first.shift)
    parent = first.parent
    entry = first.entry &+ steps << UInt64(first.step)
    number = first.number
    shift = first.shift
    step = first.step
  }

  /// How many entries on the first is that starts behind an address, which is not before this one's.
  package func steps(past last: UInt64) -> Int { Int((last &- address) >> UInt64(shift)) + 1 }

  /// Whether the bits above all frames are the same.
  fileprivate func hasAttributes(of other: TablePointer) -> Bool {
    (entry ^ other.entry) >> 52 == 0
  }

  /// The pointer `steps` entries on, where each leads one table further than the one before.
  fileprivate func advanced(by steps: UInt32) -> TablePointer {
    TablePointer(self, steps: UInt64(steps))
  }
}

/// Table pointers, of which neighbours that lead to neighbours are kept as one.
package struct TablePointers: Sendable, Sequence {
  /// Entries side by side in one table: each leads one table further than the one before, and all
  /// their other bits are the same.
  package struct Stretch: Sendable {
    package let first: TablePointer
    fileprivate(set) var length: UInt32

    package var count: Int { Int(length) }
    package subscript(index: Int) -> TablePointer {
      first.advanced(by: UInt32(truncatingIfNeeded: index))
    }
  }

  package private(set) var stretches: [Stretch] = []
  package private(set) var count = 0

  package init() {}

  package init(_ pointers: some Sequence<TablePointer>) {
    for pointer in pointers { append(pointer) }
  }

  package mutating func append(_ pointer: TablePointer) {
    count += 1
    // A frame that runs over the end of its field changes other bits.
    if let last = stretches.last, last.first.advanced(by: last.length) == pointer,
      last.first.hasAttributes(of: pointer)
    {
      stretches[stretches.count - 1].length += 1
    } else {
      stretches.append(Stretch(first: pointer, length: 1))
    }
  }

  mutating func append(_ others: TablePointers) {
    stretches += others.stretches
    count += others.count
  }

  /// The physical addresses of the tables that are led to, in ascending order.
  ///
  /// - Parameter format: that of the entries.
  package func targets(_ format: TableFormat) -> [ClosedRange<UInt64>] {
    stretches.map { stretch in
      let first = format.tableField.address(in: stretch.first.entry)
      let table = format.level(stretch.first.level - 1).tableShift
      return first...(first &+ (UInt64(stretch.length) << UInt64(table)) &- 1)
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
      if step == stretches[stretch].length {
        stretch += 1
        step = 0
      }
      return pointer
    }
  }

  package func makeIterator() -> Iterator { Iterator(stretches) }
}
