import PageTables

/// Tables that a test declares: for each address the entries that are not zero, by their index.
struct DeclaredMemory: PhysicalMemory {
  let tables: [UInt64: [Int: UInt64]]

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    guard let declared = tables[address] else {
      throw address < 0x10_0000 ? .notInImage : .outsideMemory
    }
    for index in table.indices { table[index] = declared[index] ?? 0 }
  }
}
