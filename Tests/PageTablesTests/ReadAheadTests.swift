import PageTables
import Synchronization
import Testing

/// Memory whose tables have to be waited for, or not, and what it was asked for.
private final class SlowMemory: PhysicalMemory {
  let hasToWait: Bool
  /// The bytes from one table below a pmd table to the next.
  let step: Int
  let asked = Mutex<[Set<UInt64>]>([])

  init(hasToWait: Bool, step: Int = 0x4000) {
    self.hasToWait = hasToWait
    self.step = step
  }

  /// Three pmd tables, of which the second leads to no table, and 512 tables below the others.
  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    for index in table.indices { table[index] = 0 }
    switch address {
    case 0x1000: table[256] = 0x2063
    case 0x2000: for index in 0..<3 { table[index] = UInt64(0x3000 + index << 12) | 0x63 }
    case 0x4000: table[0] = 0x8000_0000_0020_01e3
    case 0x3000, 0x5000:
      for index in 0..<512 { table[index] = address << 12 + UInt64(index * step) | 0x63 }
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
      (0..<512).map { UInt64(start + $0 * memory.step) }
    }
    let asked = memory.asked.withLock { $0 }
    #expect(asked.prefix(2) == [[0x1000], [0x2000]])
    #expect(asked.contains([0x3000, 0x4000, 0x5000]))
    #expect(asked.contains(Set(below)))
  }

  /// Listing all costs more than reading them where they lie in memory.
  @Test func whereNothingHasToBeWaitedForOnlySamplesAreAskedFor() {
    let memory = SlowMemory(hasToWait: false)
    let space = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory)
    #expect(space.tablesRead > 1000)
    // The first subtree's first table, the third one's third.
    let asked = memory.asked.withLock { $0 }
    #expect(asked.contains([0x300_0000, 0x500_8000]))
    #expect(asked.allSatisfy { $0.count < 4 })
  }

  /// The system reads ahead where tables lie side by side: requests would cut what it reads.
  @Test func tablesSideBySideAreNotAskedFor() {
    let memory = SlowMemory(hasToWait: true, step: 0x1000)
    let space = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory)
    #expect(space.tablesRead > 1000)
    #expect(memory.asked.withLock { $0.allSatisfy { $0.count < 4 } })
  }

  /// Those of processes lie apart: level by level, and nothing of the kernel's half.
  @Test func userHalvesAreAskedForLevelByLevel() {
    let memory = DeclaredSlowMemory(tables: [
      0x1000: [0: 0x3067, 255: 0x4067, 256: 0x9067], 0x2000: [1: 0x4067, 511: 0x9067],
      0x3000: [0: 0x5067], 0x4000: [511: 0x6067], 0x5000: [7: 0x7067],
      0x6000: [0: 0x8067, 1: 0xe7],
    ])
    Walker.willWalk(userHalvesOf: [0x1000, 0x2000], mode: .x86_64, memory: memory)
    #expect(
      memory.asked.withLock { $0 } == [
        [0x1000, 0x2000], [0x3000, 0x4000], [0x5000, 0x6000], [0x7000, 0x8000],
      ])
  }

  @Test func userHalvesInMemoryAreNotLookedThrough() {
    let memory = SlowMemory(hasToWait: false)
    Walker.willWalk(userHalvesOf: [0x1000, 0x2000], mode: .x86_64, memory: memory)
    #expect(memory.asked.withLock { $0 } == [[0x1000, 0x2000]])
  }
}

/// Declared tables, all of which have to be waited for, and what was asked for.
private final class DeclaredSlowMemory: PhysicalMemory {
  private let declared: DeclaredMemory
  let asked = Mutex<[Set<UInt64>]>([])

  init(tables: [UInt64: [Int: UInt64]]) { declared = DeclaredMemory(tables: tables) }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    try declared.readTable(at: address, into: &table)
  }

  func willRead(_ tables: [UInt64], size: Int) -> Bool {
    asked.withLock { $0.append(Set(tables)) }
    return true
  }
}
