import PageTables
import Synchronization
import Testing

/// Memory whose tables have to be waited for, or not, and what it was asked for.
private final class SlowMemory: PhysicalMemory {
  let hasToWait: Bool
  let asked = Mutex<[Set<UInt64>]>([])

  init(hasToWait: Bool) { self.hasToWait = hasToWait }

  /// Three pmd tables, of which the second leads to no table, and 512 tables below the others.
  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    for index in table.indices { table[index] = 0 }
    switch address {
    case 0x1000: table[256] = 0x2063
    case 0x2000: for index in 0..<3 { table[index] = UInt64(0x3000 + index << 12) | 0x63 }
    case 0x4000: table[0] = 0x8000_0000_0020_01e3
    case 0x3000, 0x5000:
      for index in 0..<512 { table[index] = address << 12 + UInt64(index) << 12 | 0x63 }
    default: break
    }
  }

  func willRead(_ tables: [UInt64], size: Int) -> Bool {
    asked.withLock { $0.append(Set(tables)) }
    return hasToWait
  }
}

@Suite struct ReadAheadTests {
  @Test func tablesAreAskedForBeforeTheWalk() {
    let memory = SlowMemory(hasToWait: true)
    _ = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory)
    let below = [0x300_0000, 0x500_0000].flatMap { start in
      (0..<512).map { UInt64(start + $0 << 12) }
    }
    #expect(memory.asked.withLock { $0[0] } == [0x3000, 0x4000, 0x5000])
    #expect(memory.asked.withLock { $0.contains(Set(below)) })
  }

  /// Listing all costs more than reading them where they lie in memory.
  @Test func whereNothingHasToBeWaitedForOnlySamplesAreAskedFor() {
    let memory = SlowMemory(hasToWait: false)
    let space = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory)
    #expect(space.tablesRead > 1000)
    // The first subtree's first table, the third one's third.
    #expect(memory.asked.withLock { $0[1] } == [0x300_0000, 0x500_2000])
    #expect(memory.asked.withLock { $0.allSatisfy { $0.count < 4 } })
  }
}
