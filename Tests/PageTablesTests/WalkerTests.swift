import PageTables
import Support
import Testing

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
    let mode = TableFormat.x86_64
    #expect(run.flags & mode.write != 0)
    #expect(!run.access.isWritable)
    #expect(!run.access.isExecutable)
    #expect(run.access.isUser)
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
    let result = TableFormat.x86_64.walk(0xffff_8000_0020_1234, root: 0x1000, memory: memory)
    #expect(result.physical == 0x20_1234)
    #expect(result.steps.map(\.entry) == [0x2063, 0x3063, 0x8000_0000_0020_01e3])
    #expect(
      TableFormat.x86_64.walk(0x8000_0000_0000, root: 0x1000, memory: memory).end == .notCanonical)
    #expect(TableFormat.x86_64.walk(0, root: 0x1000, memory: memory).end == .notPresent)
  }

  /// Tables of each kind of entry, alike for 1 to 40 entries.
  private func patchwork(_ random: inout SeededGenerator) -> [UInt64: [Int: UInt64]] {
    var tables: [UInt64: [Int: UInt64]] = [0x1000: [256: 0x2063, 300: 0x3063]]
    // Two pud tables of four pmd tables each; the last pmd table of the second is the first's.
    for pud in 0..<2 {
      tables[UInt64(0x2000 + 0x1000 * pud)] = Dictionary(
        uniqueKeysWithValues: (0..<4).map { index in
          (index * 3, pud == 1 && index == 3 ? 0x1_0063 : 0x1_0063 + UInt64(pud * 4 + index) << 12)
        })
    }
    for pmd in 0..<8 {
      var entries: [Int: UInt64] = [:]
      for index in 0..<512 where Int.random(in: 0..<3, using: &random) == 0 {
        entries[index] = 0x10_0063 + UInt64(pmd * 512 + index) << 12
      }
      for index in 0..<40 { entries[index] = UInt64(index + pmd) << 21 | 0x1e3 }
      tables[0x1_0000 + UInt64(pmd) << 12] = entries
      for index in entries.keys where index >= 40 {
        tables[0x10_0000 + UInt64(pmd * 512 + index) << 12] = leaves(&random)
      }
    }
    return tables
  }

  private func leaves(_ random: inout SeededGenerator) -> [Int: UInt64] {
    var entries: [Int: UInt64] = [:]
    var index = 0
    while index < 512 {
      let kinds: [UInt64] = [0x163, 0x161, 0x8000_0000_0000_0163, 0x60, 0, 0]
      let flags = kinds[Int.random(in: 0..<kinds.count, using: &random)]
      let frame = UInt64.random(in: 1..<1000, using: &random) << 20
      let end = min(512, index + Int.random(in: 1...40, using: &random))
      for next in index..<end where flags != 0 {
        entries[next] = flags | frame + UInt64(next) << 12
      }
      index = end
    }
    return entries
  }

  @Test func entryByEntryIsTheSame() {
    var random = SeededGenerator(7)
    for _ in 0..<5 {
      let tables = patchwork(&random)
      let mode = TableFormat.x86_64
      var runs: [Run] = []
      func walk(_ table: UInt64, _ level: TableFormat.Level, _ base: UInt64, _ above: Access) {
        for index in 0..<512 {
          let entry = tables[table]?[index] ?? 0
          let start = mode.canonical(base &+ UInt64(index) &* level.span)
          let access = mode.access(entry, at: level, below: above)
          let isLeaf = level.number == 1 || entry & mode.large != 0
          if entry & mode.present != 0, !isLeaf {
            walk(entry & mode.tableAddress, mode.level(level.number - 1), start, access)
            continue
          }
          let isHole = entry == 0
          Run.append(
            Run(
              start: start, last: start &+ (level.span &- 1),
              kind: isHole ? .hole : entry & mode.present == 0 ? .notPresent : .leaf,
              level: level.number,
              flags: isHole ? 0 : entry & ~mode.tableAddress | entry & mode.invertedFrame,
              access: isHole ? [] : access,
              physical: entry & mode.present == 0 ? nil : entry & mode.tableAddress),
            to: &runs, mode: mode)
        }
      }
      walk(0x1000, mode.root, 0, .all)
      let space = self.walk(tables)
      #expect(space.runs == runs)
      #expect(space.pointers.count == Array(space.pointers).count)
      #expect(
        space.pointers.allSatisfy { tables[$0.parent]?.values.contains($0.entry) == true })
    }
  }

  @Test func sideBySideIsTheSame() {
    var random = SeededGenerator(8)
    for _ in 0..<5 {
      let memory = DeclaredMemory(tables: patchwork(&random))
      let one = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory, inParallel: false)
      let all = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory)
      #expect(one.runs == all.runs)
      #expect(one.tablesRead == all.tablesRead)
      #expect(Array(one.pointers) == Array(all.pointers))
      #expect(one.anomalies == all.anomalies)
    }
  }

  @Test func incidentalBitsMakeNoRuns() {
    var random = SeededGenerator(9)
    let mode = TableFormat.x86_64
    func plain(_ run: Run) -> Run {
      var plain = run
      if run.isLeaf { plain.flags &= ~mode.incidental }
      return plain
    }
    for _ in 0..<5 {
      let tables = patchwork(&random)
      var used = tables
      for address in tables.keys.sorted() {
        for (index, entry) in tables[address, default: [:]].sorted(by: { $0.key < $1.key })
        where entry & mode.present != 0 {
          let bits = UInt64.random(in: 0...(~0), using: &random) & mode.incidental
          used[address]?[index] = entry ^ bits
        }
      }
      let memory = DeclaredMemory(tables: used)
      let one = Walker.walk(
        root: 0x1000, mode: mode, memory: memory, inParallel: false, tellsIncidental: false)
      let all = Walker.walk(root: 0x1000, mode: mode, memory: memory, tellsIncidental: false)
      #expect(one.runs == all.runs)
      #expect(all.runs.map(plain) == walk(tables).runs.map(plain))
      #expect(walk(used).runs.count > 2 * all.runs.count)
    }
  }

  /// The walk, which must be the same side by side and one after the other.
  private func walkBothWays(
    _ tables: [UInt64: [Int: UInt64]], mode: TableFormat = .x86_64
  ) -> AddressSpace {
    let memory = DeclaredMemory(tables: tables)
    let one = Walker.walk(root: 0x1000, mode: mode, memory: memory, inParallel: false)
    let all = Walker.walk(root: 0x1000, mode: mode, memory: memory)
    #expect(one.runs == all.runs)
    #expect(one.tablesRead == all.tablesRead)
    #expect(Array(one.pointers) == Array(all.pointers))
    #expect(one.anomalies == all.anomalies)
    #expect(zip(all.runs, all.runs.dropFirst()).allSatisfy { $0.last < $1.start })
    return all
  }

  @Test func manySharersAreBounded() {
    // Twenty pmd tables whose entries all lead to one table of leaves that never merge.
    var tables: [UInt64: [Int: UInt64]] = [
      0x1000: [256: 0x2063],
      0x2000: Dictionary(uniqueKeysWithValues: (0..<20).map { ($0, 0x1_0063 + UInt64($0) << 12) }),
      0x4000: Dictionary(
        uniqueKeysWithValues: (0..<512).map { ($0, 0x5000 | ($0 % 2 == 0 ? 0x63 : 0x67)) }),
    ]
    for pmd in 0..<20 {
      tables[0x1_0000 + UInt64(pmd) << 12] = Dictionary(
        uniqueKeysWithValues: (0..<512).map { ($0, 0x4063) })
    }
    let space = walkBothWays(tables)
    #expect(space.runs.count < 5 << 20)
    #expect(space.anomalies.map(\.kind) == [.walkLimit])
  }

  @Test func missingTablesAreNotCounted() {
    // Two pmd tables lead to one table that is not there.
    let space = walkBothWays([
      0x1000: [256: 0x2063], 0x2000: [0: 0x3063, 1: 0x4063], 0x3000: [0: 0x9063],
      0x4000: [0: 0x9063, 1: 0x5063], 0x5000: [0: 0x163],
    ])
    #expect(space.tablesRead == 5)
    #expect(space.anomalies.count == 2)
  }

  @Test func missingTablesOfSharedTablesAreSaidAtEachPlace() {
    // Five entries lead to one pmd table, below which a table is not there.
    let space = walkBothWays([
      0x1000: [256: 0x2063],
      0x2000: Dictionary(uniqueKeysWithValues: (0..<5).map { ($0, 0x3063) }),
      0x3000: [0: 0x8000_0000_0020_01e3, 1: 0x9063],
    ])
    #expect(
      space.anomalies.map(\.address)
        == (0..<5).map { 0xffff_8000_0020_0000 + $0 << 30 })
    #expect(space.anomalies.allSatisfy { $0.kind == .tableNotInImage })
  }

  @Test func whatIsInheritedMakesAnotherTable() {
    // One pud table, open to users from below and not from above.
    let space = walkBothWays([
      0x1000: [0: 0x2067, 256: 0x2063], 0x2000: [0: 0x3163, 1: 0x4063],
      0x3000: [0: 0x8000_0000_0020_01e3], 0x4000: [:],
    ])
    let pointers = space.pointers.filter { $0.entry == 0x3163 }
    #expect(pointers.map(\.address) == [0, 0xffff_8000_0000_0000])
    #expect(space.tablesRead == 4)
  }

  @Test func tablesOfSeveralLevelsAtOnce() {
    // U leads to P1, which is a pud table elsewhere; from P1 that is a cycle, from P3 it is none.
    let space = walkBothWays(
      [
        0x1000: [0: 0x2063, 1: 0x3063, 2: 0x4063], 0x2000: [0: 0x5063], 0x3000: [0: 0x5063],
        0x4000: [0: 0x6063, 1: 0x7063], 0x5000: [0: 0x2063, 1: 0x8063], 0x6000: [0: 0x2063],
        0x7000: [0: 0x8063, 1: 0x9063], 0x8000: [0: 0x163], 0x9000: [0: 0xa063], 0xa000: [3: 0x163],
      ], mode: .x86_64FiveLevel)
    #expect(space.anomalies.contains { $0.kind == .tableCycle })
  }

  @Test func runsThatMeetBetweenSubtrees() {
    var random = SeededGenerator(10)
    for _ in 0..<100 {
      // The last leaves of one GiB and the first of the next, of few frames: strides and repeats.
      func frames(_ range: Range<Int>) -> [Int: UInt64] {
        Dictionary(
          uniqueKeysWithValues: range.map {
            ($0, UInt64.random(in: 6...9, using: &random) << 12 | 0x163)
          })
      }
      let space = walkBothWays([
        0x1000: [256: 0x2063], 0x2000: [0: 0x3063, 1: 0x4063], 0x3000: [511: 0x5063],
        0x4000: [0: 0x6063], 0x5000: frames(508..<512), 0x6000: frames(0..<6),
      ])
      #expect(leaves(space).reduce(0) { $0 + $1.pages } == 10)
    }
  }

  @Test func memoryThatIsUsedUpIsSaid() {
    var random = SeededGenerator(9)
    let memory = DeclaredMemory(tables: patchwork(&random))
    let whole = Walker.walk(root: 0x1000, mode: .x86_64, memory: memory)
    let enough = 32 * whole.runs.count * 2
    for (bytes, isWhole) in [(enough, true), (enough / 20, false)] {
      let space = Walker.walk(
        root: 0x1000, mode: .x86_64, memory: memory, budget: RunBudget(bytes: bytes))
      #expect(space.anomalies.contains { $0.kind == .memoryLimit } == !isWhole)
      #expect((space.runs == whole.runs) == isWhole)
      #expect(MemoryLayout<Run>.stride == 32)
    }
  }

  /// An image warrants a run for each two bytes, and 393,216 more: ESPfix needs them.
  @Test func runsAreBoundByTheImage() {
    // Two times 512 times one table of 512 runs.
    func entries(_ count: Int, _ entry: (Int) -> UInt64) -> [Int: UInt64] {
      Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, entry($0)) })
    }
    let memory = DeclaredMemory(tables: [
      0x1000: [256: 0x2063], 0x2000: entries(2) { _ in 0x3063 },
      0x3000: entries(512) { _ in 0x4063 }, 0x4000: entries(512) { $0 & 1 == 0 ? 0x1063 : 0x1061 },
    ])
    for (held, isWhole) in [(UInt64(20 << 10), false), (1 << 20, true)] {
      let space = Walker.walk(
        root: 0x1000, mode: .x86_64, memory: memory, budget: RunBudget(bytes: .max, held: held))
      #expect(space.anomalies.map(\.kind) == (isWhole ? [] : [.walkLimit]))
      #expect((space.runs.count > 512 << 10) == isWhole)
      #expect(space.runs.count > 393_216)
    }
  }

  @Test func pointersSideBySideAreKeptTogether() {
    var pointers = TablePointers()
    let level = TableFormat.x86_64.level(2)
    // Three tables one behind the other, one elsewhere, one of another pmd table.
    let entries: [(index: UInt64, parent: UInt64, entry: UInt64)] = [
      (0, 0x1000, 0x5063), (1, 0x1000, 0x6063), (2, 0x1000, 0x7063), (3, 0x1000, 0x9063),
      (4, 0x2000, 0xa063),
    ]
    let all = entries.map {
      TablePointer(address: $0.index << 21, parent: $0.parent, entry: $0.entry, level: level)
    }
    for pointer in all { pointers.append(pointer) }
    #expect(Array(pointers) == all)
    #expect(pointers.count == 5)
    #expect(pointers.stretches.map(\.count) == [3, 1, 1])
    #expect(pointers.stretches[0][2] == all[2])
    #expect(all[1].steps(past: 5 << 21 | 7) == 5)
    #expect(
      pointers.targets(.x86_64) == [
        0x5000...0x7fff, 0x9000...0x9fff, 0xa000...0xafff,
      ])
  }

  /// One frame further is another bit: what holds for one of neighbours must hold for all.
  @Test func pointersWithOtherBitsAreKeptApart() {
    let level = TableFormat.x86_64.level(2)
    let entries: [UInt64] = [0x000f_ffff_ffff_f063, 0x0010_0000_0000_0063]
    let all = entries.enumerated().map { index, entry in
      TablePointer(address: UInt64(index) << 21, parent: 0x1000, entry: entry, level: level)
    }
    let pointers = TablePointers(all)
    #expect(pointers.stretches.map(\.count) == [1, 1])
    #expect(Array(pointers) == all)
  }
}
