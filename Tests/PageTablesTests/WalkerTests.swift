import PageTables
import Testing

/// Tables declared entry by entry: `[table address: [index: entry]]`.
private struct DeclaredMemory: PhysicalMemory {
  let tables: [UInt64: [Int: UInt64]]

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    guard let declared = tables[address] else {
      throw address < 0x10_0000 ? .notInImage : .outsideMemory
    }
    for index in table.indices { table[index] = declared[index] ?? 0 }
  }
}

@Suite struct WalkerTests {
  private func walk(_ tables: [UInt64: [Int: UInt64]]) -> AddressSpace {
    Walker.walk(root: 0x1000, mode: .x86_64, memory: DeclaredMemory(tables: tables))
  }

  private func leaves(_ space: AddressSpace) -> [Run] { space.runs.filter(\.isLeaf) }

  @Test func leavesOfEachSize() {
    let space = walk([
      0x1000: [256: 0x2063],
      0x2000: [0: 0x3063, 1: 0x8000_0000_4000_01e3],
      0x3000: [0: 0x4063, 1: 0x8000_0000_0020_01e3],
      0x4000: [0: 0x163, 1: 0x1163, 3: 0x8000_0000_0000_5161],
    ])
    let found = leaves(space)
    #expect(
      found.map(\.start) == [
        0xffff_8000_0000_0000, 0xffff_8000_0000_3000, 0xffff_8000_0020_0000, 0xffff_8000_4000_0000,
      ])
    #expect(found.map(\.size) == [0x2000, 0x1000, 0x20_0000, 0x4000_0000])
    #expect(found.map(\.level) == [1, 1, 2, 3])
    #expect(found.map(\.physical) == [0, 0x5000, 0x20_0000, 0x4000_0000])
    #expect(space.runs.last?.end == 0)
    #expect(space.runs.first?.start == 0)
  }

  @Test func upperLevelsRestrict() {
    // pud read-only, pmd no-execute: the leaf's own RW and x do not count.
    let space = walk([
      0x1000: [256: 0x2067], 0x2000: [0: 0x3065], 0x3000: [0: 0x8000_0000_0000_4067],
      0x4000: [0: 0x167],
    ])
    let run = leaves(space)[0]
    let mode = PagingMode.x86_64
    #expect(run.flags & mode.write != 0)
    #expect(run.effective & mode.write == 0)
    #expect(run.effective & mode.noExecute != 0)
    #expect(run.effective & mode.user != 0)
  }

  @Test func sharedTablesAreSpliced() {
    // Every entry of each level leads to the same table, as in KASAN's shadow.
    let all = { (entry: UInt64) in Dictionary(uniqueKeysWithValues: (0..<512).map { ($0, entry) }) }
    let space = walk([
      0x1000: [300: 0x2063], 0x2000: all(0x3063), 0x3000: all(0x4063),
      0x4000: all(0x8000_0000_0000_5161),
    ])
    #expect(leaves(space).count == 1)
    #expect(leaves(space)[0].size == 512 << 30)
    #expect(leaves(space)[0].repeats)
    #expect(leaves(space)[0].physical(of: 0xffff_9600_0000_3008, span: 4096) == 0x5008)
    #expect(space.tablesRead == 4)
  }

  @Test func sharedTablesAreBounded() {
    // Alternating flags keep runs from merging: 512^4 leaves if nothing stopped the walk.
    func table(_ next: UInt64) -> [Int: UInt64] {
      Dictionary(uniqueKeysWithValues: (0..<512).map { ($0, next | ($0 % 2 == 0 ? 0x63 : 0x67)) })
    }
    let space = walk([
      0x1000: table(0x2000), 0x2000: table(0x3000), 0x3000: table(0x4000), 0x4000: table(0x5000),
    ])
    #expect(space.runs.count < 8 << 20)
    #expect(space.anomalies.contains { $0.kind == .walkLimit })
  }

  @Test func tableThatLeadsBack() {
    let space = walk([
      0x1000: [300: 0x2063, 493: 0x1063], 0x2000: [0: 0x3063, 1: 0x2063],
      0x3000: [0: 0x8000_0000_0020_01e3],
    ])
    let found = space.anomalies.filter { $0.kind == .tableCycle }
    #expect(found.map(\.address) == [0xffff_9600_4000_0000, 0xffff_f680_0000_0000])
    #expect(found.map(\.level) == [3, 4])
    #expect(leaves(space).count == 1)
    #expect(space.pointers.count == 2)
  }

  @Test func unreadableTablesAreSaid() {
    let space = walk([
      0x1000: [256: 0x9063, 257: 0x7_0000_0063], 0x2000: [:],
    ])
    #expect(space.anomalies.map(\.kind) == [.tableNotInImage, .tableOutsideMemory])
    #expect(space.run(at: 0xffff_8000_0000_0000)?.kind == .unreadable)
    #expect(space.run(at: 0xffff_8080_0000_0000)?.kind == .unreadable)
  }

  @Test func reservedBitsAreSaid() {
    let space = walk([
      0x1000: [256: 0x2063, 257: 0x20e3], 0x2000: [0: 0x3063], 0x3000: [0: 0x8000_0000_0020_41e3],
    ])
    #expect(space.anomalies.map(\.kind) == [.reservedBits(0x4000), .reservedBits(0x80)])
  }

  @Test func oneAddressLevelByLevel() {
    let tables: [UInt64: [Int: UInt64]] = [
      0x1000: [256: 0x2063], 0x2000: [0: 0x3063], 0x3000: [1: 0x8000_0000_0020_01e3],
    ]
    let memory = DeclaredMemory(tables: tables)
    let result = PagingMode.x86_64.walk(0xffff_8000_0020_1234, root: 0x1000, memory: memory)
    #expect(result.physical == 0x20_1234)
    #expect(result.steps.map(\.entry) == [0x2063, 0x3063, 0x8000_0000_0020_01e3])
    #expect(
      PagingMode.x86_64.walk(0x8000_0000_0000, root: 0x1000, memory: memory).end == .notCanonical)
    #expect(PagingMode.x86_64.walk(0, root: 0x1000, memory: memory).end == .notPresent)
  }
}
