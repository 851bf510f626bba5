package import MemoryImages
package import PageTables

/// A memory image in which single entries are changed, and can be put back.
package final class PatchedImage: WrappedMemory, @unchecked Sendable {
  package let wrapped: any MemoryImage
  // Only one test at a time changes an image. By the words' addresses.
  private var patched: [UInt64: UInt64] = [:]
  /// Whole pages that are put in, or taken from another place.
  private var pages: [UInt64: [UInt64]] = [:]

  package init(_ base: any MemoryImage) {
    wrapped = base
    notes = base.notes
  }

  package var notes: [ImageNote]
  /// It is walked again and again, each time out of one budget.
  package var heldBytes: UInt64 { ~0 }

  package func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    if let page = pages[address], page.count >= table.count {
      table = Array(page.prefix(table.count))
    } else {
      try wrapped.readTable(at: address, into: &table)
    }
    for (place, word) in patched where place >= address {
      let index = (place - address) / 8
      if index < UInt64(table.count) { table[Int(index)] = word }
    }
  }

  package func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    var bytes: [UInt8]
    if let page = pages[address & ~4095], count > 0, address & 4095 + UInt64(count) <= 4096 {
      bytes = (0..<UInt64(count)).map { index in
        let at = (address & 4095) + index
        return UInt8(truncatingIfNeeded: page[Int(at / 8)] >> (8 * (at % 8)))
      }
    } else {
      bytes = try wrapped.read(at: address, count: count)
    }
    for (place, word) in patched {
      for byte in 0..<UInt64(8) where place + byte >= address {
        let index = place + byte - address
        if index < UInt64(bytes.count) {
          bytes[Int(index)] = UInt8(truncatingIfNeeded: word >> (8 * byte))
        }
      }
    }
    return bytes
  }

  /// The entries of a table.
  package func table(at address: UInt64, count: Int = 512) throws(UnreadableMemory) -> [UInt64] {
    var table = [UInt64](repeating: 0, count: count)
    try readTable(at: address, into: &table)
    return table
  }

  /// Changes one entry of a table that the image holds.
  package func set(_ entry: UInt64, at index: Int, of table: UInt64) throws(UnreadableMemory) {
    _ = try self.table(at: table, count: index + 1)
    patched[table + 8 * UInt64(index)] = entry
  }

  /// Puts a page of 512 entries where the image holds none, or another one.
  package func set(page: [UInt64], at address: UInt64) { pages[address] = page }

  /// Puts all back.
  package func reset() {
    patched = [:]
    pages = [:]
  }
}
