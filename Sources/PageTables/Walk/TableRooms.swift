/// Room for one table of each level, for memory that cannot show its tables in place.
@safe final class TableRooms {
  private let all: [UnsafeMutablePointer<UInt64>]
  private var words: [UInt64] = []
  private let mode: TableFormat

  init(_ mode: TableFormat) {
    self.mode = mode
    unsafe all = mode.levels.map { .allocate(capacity: $0.entries) }
  }

  deinit { unsafe all.forEach { unsafe $0.deallocate() } }

  /// The entries of a table, which stay until the next table of that level is asked for.
  func entries(
    at address: UInt64, of level: TableFormat.Level, in memory: any PhysicalMemory
  ) throws(UnreadableMemory) -> TableEntries {
    if mode.hasEntriesInPlace,
      let bytes = unsafe try memory.mapped(at: address, size: mode.bytes(ofTableOf: level)),
      Int(bitPattern: bytes) & 7 == 0
    {
      return unsafe TableEntries(
        base: bytes.assumingMemoryBound(to: UInt64.self), count: level.entries)
    }
    if words.count != level.entries { words = mode.emptyTable(level) }
    try mode.readTable(at: address, from: memory, into: &words)
    let room = unsafe all[level.number - 1]
    for index in words.indices { unsafe room[index] = words[index] }
    return unsafe TableEntries(base: room, count: level.entries)
  }
}
