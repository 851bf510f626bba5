/// Physical memory as the walker sees it: one call for each page-table page.
package protocol PhysicalMemory: Sendable {
  /// Reads the page-table page at `address` into `table`: as many 8-byte words as it holds,
  /// the byte at the lowest address lowest.
  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory)
  /// The `size` bytes at `address` where they lie in the memory of this program as they are; nil
  /// where `readTable` must bring them. They live as long as this object.
  func mapped(at address: UInt64, size: Int) throws(UnreadableMemory) -> UnsafeRawPointer?
  /// Says which page-table pages of `size` bytes are read next, so that they can be fetched together.
  ///
  /// - Returns: false where reading them waits for nothing, as far as samples of them tell.
  @discardableResult func willRead(_ tables: [UInt64], size: Int) -> Bool
}

extension PhysicalMemory {
  package func mapped(
    at address: UInt64, size: Int
  ) throws(UnreadableMemory) -> UnsafeRawPointer? { nil }
  package func willRead(_ tables: [UInt64], size: Int) -> Bool { false }
}

/// Why a physical address could not be read.
package enum UnreadableMemory: Error, Sendable, Equatable, Codable {
  /// The address is no memory of the machine.
  case outsideMemory
  /// The machine has memory there, and the image does not hold it.
  case notInImage
}

extension TableFormat {
  /// Whether entries lie in memory as this program's 64-bit numbers do.
  var hasEntriesInPlace: Bool { entrySize == 8 && byteOrder == .little && 1.littleEndian == 1 }

  /// A table's worth of zeros, for `readTable`.
  package func emptyTable(_ level: Level) -> [UInt64] { Array(repeating: 0, count: level.entries) }

  /// Reads the table at `address`, an element an entry.
  package func readTable(
    at address: UInt64, from memory: any PhysicalMemory, into entries: inout [UInt64]
  ) throws(UnreadableMemory) {
    let isSwapped = byteOrder == .big
    guard entrySize == 4 else {
      try memory.readTable(at: address, into: &entries)
      if isSwapped { for index in entries.indices { entries[index] = entries[index].byteSwapped } }
      return
    }
    var words = [UInt64](repeating: 0, count: entries.count / 2)
    try memory.readTable(at: address, into: &words)
    for (index, word) in words.enumerated() {
      let first = UInt32(truncatingIfNeeded: word)
      let second = UInt32(truncatingIfNeeded: word >> 32)
      entries[2 * index] = UInt64(isSwapped ? first.byteSwapped : first)
      entries[2 * index + 1] = UInt64(isSwapped ? second.byteSwapped : second)
    }
  }
}
