package import MemoryImages
package import PageTables

/// A memory image in which single entries are changed, and can be put back.
package final class PatchedImage: MemoryImage, @unchecked Sendable {
  private let base: any MemoryImage
  // Only one test at a time changes an image.
  private var patched: [UInt64: [UInt64]] = [:]

  package init(_ base: any MemoryImage) {
    self.base = base
    notes = base.notes
  }

  package var path: String { base.path }
  package var format: String { base.format }
  package var ranges: [ClosedRange<UInt64>] { base.ranges }
  package var notes: [ImageNote]
  package var damage: [String] { base.damage }
  package var machine: Machine? { base.machine }
  package var placements: [Placement] { base.placements }
  package func checksum(zeroing offset: Int) -> UInt64? { base.checksum(zeroing: offset) }
  package var tellsAllMemory: Bool { base.tellsAllMemory }

  package func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    if let page = patched[address] {
      table = page
    } else {
      try base.readTable(at: address, into: &table)
    }
  }

  package func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    guard let page = patched[address & ~4095], count > 0, address & 4095 + UInt64(count) <= 4096
    else { return try base.read(at: address, count: count) }
    return (0..<UInt64(count)).map { index in
      let at = (address & 4095) + index
      return UInt8(truncatingIfNeeded: page[Int(at / 8)] >> (8 * (at % 8)))
    }
  }

  /// The entries of a table of 512.
  package func table(at address: UInt64) throws(UnreadableMemory) -> [UInt64] {
    var table = [UInt64](repeating: 0, count: 512)
    try readTable(at: address, into: &table)
    return table
  }

  /// Changes one entry of a table that the image holds.
  package func set(_ entry: UInt64, at index: Int, of table: UInt64) throws(UnreadableMemory) {
    var page = try self.table(at: table)
    page[index] = entry
    patched[table] = page
  }

  /// Puts a page of entries where the image holds none, or another one.
  package func set(page: [UInt64], at address: UInt64) { patched[address] = page }

  /// Puts all back.
  package func reset() { patched = [:] }
}
