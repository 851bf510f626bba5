/// Physical memory as the walker sees it: one call for each page-table page.
package protocol PhysicalMemory: Sendable {
  /// Reads the page-table page at `address` into `table`, which holds `entriesPerTable` words.
  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory)
}

/// Why a physical address could not be read.
package enum UnreadableMemory: Error, Sendable, Equatable {
  /// The address is no memory of the machine.
  case outsideMemory
  /// The machine has memory there, and the image does not hold it.
  case notInImage
}
