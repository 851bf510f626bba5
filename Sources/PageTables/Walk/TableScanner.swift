/// Reads tables entry by entry, from one down to those of the lowest level.
struct TableScanner {
  private let input: WalkInput
  private let mode: TableFormat
  private(set) var assembler: RunAssembler
  /// For each level, room for a table that the memory must bring.
  private let rooms: TableRooms
  /// For each level, the tables that were read.
  private var seen: [FrameSet]
  /// The tables above the lowest level that were reached.
  private var reached: Set<TableKey> = []
  /// The runs of tables that were reached again, relative to the table's first address, where they
  /// are few enough to keep for splicing.
  private var kept: [TableKey: [Run]] = [:]
  private var keptRuns = 0
  /// Whether the walk is below a table that was reached again.
  private var isRepeating = false
  /// The tables on the way to the one that is read.
  private var path: [UInt64] = []
  /// The subtrees that are walked beside this walk, and how many of them it took over.
  private let walks: SubtreeWalks?
  private var taken = 0

  private static let mostKeptInAll = 1 << 20

  /// - Parameters:
  ///   - walks: subtrees to take over rather than to walk.
  ///   - subtrees: how many there are, where this is for one of them; nil for a whole walk.
  init(_ input: WalkInput, walks: SubtreeWalks? = nil, subtrees: Int? = nil) {
    self.input = input
    self.walks = walks
    mode = input.mode
    assembler = RunAssembler(input, subtrees: subtrees)
    rooms = TableRooms(mode)
    // By the level's number; there is no level 0.
    seen = [FrameSet(shift: 0)] + mode.levels.map { FrameSet(shift: $0.tableShift) }
  }

  /// - Returns: nil where spliced tables make more of it than its own can: the walk over all subtrees
  ///   has a limit for that.
  consuming func walking(_ subtree: Subtree) -> WalkedSubtree? {
    var scanner = self
    scanner.path = subtree.path
    scanner.walkTable(
      at: subtree.table, level: Subtree.level, base: subtree.base, inherited: subtree.inherited,
      pointer: subtree.pointer)
    return scanner.assembler.isBeyondLimit
      ? nil
      : WalkedSubtree(subtree: subtree, space: scanner.assembler.space, tables: scanner.seen[1])
  }

  /// Walks a table and all below it.
  mutating func walkTable(
    at address: UInt64, level number: Int, base: UInt64, inherited: Access, pointer: UInt64?
  ) {
    let key = TableKey(address: address, level: number, inherited: inherited)
    let isNew = seen[number].insert(address)
    if number == 1 ? isNew : reached.insert(key).inserted {
      if number == Subtree.level {
        let subtree = Subtree(
          table: address, base: base, inherited: inherited, pointer: pointer, path: path)
        // Tables that change while they are read, or lead back to themselves, may be met elsewhere.
        if let walks, let found = walks.take(key), found.subtree == subtree {
          taken += 1
          assembler.reserve(for: found, taken, of: walks.count)
          assembler.take(found, newTables: seen[1].formUnion(found.tables))
          return
        }
      }
      readTable(
        at: address, level: number, base: base, inherited: inherited, pointer: pointer,
        isNew: isNew)
    } else {
      repeatTable(key, base: base, pointer: pointer)
    }
  }

  /// Walks a table that was reached before, or splices what was found there.
  private mutating func repeatTable(_ key: TableKey, base: UInt64, pointer: UInt64?) {
    let number = key.level
    let size = mode.level(number).span &* UInt64(mode.level(number).entries)
    guard !assembler.isTooOften(base, size, number),
      !assembler.isBeyond(assembler.mostRuns, assembler.space.runs.count, base, size, number)
    else { return }
    if let runs = kept[key] {
      assembler.splice(runs, at: base, size: size, level: number)
      return
    }
    let isOutermost = !isRepeating
    isRepeating = true
    defer { if isOutermost { isRepeating = false } }
    let firstRun = assembler.space.runs.count
    let anomaliesBefore = assembler.anomalies
    readTable(
      at: key.address, level: number, base: base, inherited: key.inherited, pointer: pointer,
      isNew: false)
    guard number < mode.levels.count, !assembler.stopped, assembler.anomalies == anomaliesBefore,
      assembler.space.runs.count - firstRun <= RunAssembler.mostKept,
      keptRuns < Self.mostKeptInAll
    else { return }
    let runs = assembler.relativeRuns(at: base, size: size)
    keptRuns += runs.count
    kept[key] = runs
  }

  private mutating func readTable(
    at address: UInt64, level number: Int, base: UInt64, inherited: Access, pointer: UInt64?,
    isNew: Bool
  ) {
    let level = mode.level(number)
    let entries: TableEntries
    do {
      unsafe entries = try unsafe rooms.entries(at: address, of: level, in: input.memory)
    } catch {
      let size = level.span &* UInt64(level.entries)
      assembler.note(
        Anomaly(
          error == .outsideMemory ? .tableOutsideMemory : .tableNotInImage,
          address: mode.canonical(base), size: size,
          level: number == mode.levels.count ? nil : number + 1, entry: pointer))
      if isNew { seen[number].remove(address) }
      if !isRepeating || !assembler.isTooOften(base, size, number) {
        assembler.appendUnreadable(base, size: size, level: number)
      }
      return
    }
    if isNew {
      assembler.countTable()
      if assembler.space.tablesRead & 255 == 0 { input.progress?.add(256) }
    }
    if number == 1 {
      let before = assembler.space.runs.count
      unsafe scanLeaves(entries, level: level, base: base, inherited: inherited)
      assembler.holdToBudget(
        assembler.space.runs.count - before, base, level.span &* UInt64(level.entries), number)
    } else {
      path.append(address)
      unsafe scan(entries, of: address, level: level, base: base, inherited: inherited)
      path.removeLast()
    }
  }

  /// Reads a table of the lowest level: pages, holes and remnants.
  private mutating func scanLeaves(
    _ entries: TableEntries, level: TableFormat.Level, base: UInt64, inherited: Access
  ) {
    var index = 0
    while unsafe index < entries.count {
      let entry = unsafe entries[index]
      unsafe index =
        level.classify(entry) == .invalid
        ? appendInvalid(entries, index, entries.count, level, base, inherited)
        : appendLeaf(entries, index, entries.count, level, base, inherited)
    }
  }

  /// Reads a table of an upper level, and what lies below it.
  private mutating func scan(
    _ entries: TableEntries, of table: UInt64, level: TableFormat.Level, base: UInt64,
    inherited: Access
  ) {
    // Between the two halves of a sign-extended space lies what no entry can map.
    let half = level.number == mode.levels.count ? mode.boundary : 0
    var index = 0
    while index < level.entries {
      let start = base &+ UInt64(index) &* level.span
      let here = mode.canonical(start)
      if input.end != 0, here >= input.end, level.number == mode.levels.count { break }
      let bound = index < half ? half : level.entries
      let entry = unsafe entries[index]
      switch level.classify(entry) {
      case .invalid:
        index = unsafe appendInvalid(entries, index, bound, level, base, inherited)
        assembler.holdToBudget(1, start, level.span, level.number)
      case .leaf:
        index = unsafe appendLeaf(entries, index, bound, level, base, inherited)
        assembler.holdToBudget(1, start, level.span, level.number)
      case .table:
        index += 1
        follow(entry, of: table, level: level, at: start, inherited: inherited)
      }
    }
  }

  /// Walks the table that an entry leads to, unless it leads astray.
  private mutating func follow(
    _ entry: UInt64, of table: UInt64, level: TableFormat.Level, at start: UInt64,
    inherited: Access
  ) {
    let here = mode.canonical(start)
    let next = mode.tableField.address(in: entry)
    let reserved = entry & level.reservedInTable
    if reserved != 0 {
      note(.reservedBits(reserved), entry, here, level)
      assembler.appendUnreadable(start, size: level.span, level: level.number)
    } else if let shadow = input.shadow, shadow.tables[level.number - 1] == next {
      appendShadow(shadow.entry, at: here, size: level.span)
    } else if path.contains(next) {
      note(.tableCycle, entry, here, level)
      assembler.appendUnreadable(start, size: level.span, level: level.number)
    } else if assembler.stopped {
      assembler.appendUnreadable(start, size: level.span, level: level.number)
    } else {
      if !isRepeating {
        assembler.append(TablePointer(address: here, parent: table, entry: entry, level: level))
      }
      walkTable(
        at: next, level: level.number - 1, base: start,
        inherited: inherited.intersection(level.tableRights.access(entry)), pointer: entry)
    }
  }

  private mutating func note(
    _ kind: Anomaly.Kind, _ entry: UInt64, _ address: UInt64, _ level: TableFormat.Level,
    entries: Int = 1
  ) {
    let size = UInt64(entries) &* level.span
    assembler.note(
      Anomaly(kind, address: address, size: size, level: level.number, entry: entry))
  }

  /// Appends one page of KASAN's shadow for all that its tables map.
  private mutating func appendShadow(_ entry: UInt64, at address: UInt64, size: UInt64) {
    let lowest = mode.level(1)
    var run = Run(
      start: address, last: address &+ (size &- 1), kind: .leaf, level: 1,
      flags: entry & ~lowest.leafField.mask, access: lowest.leafRights.access(entry),
      physical: lowest.leafField.address(in: entry), repeats: true)
    run.isStale = true
    assembler.append(run)
  }

  /// Appends the leaves from `index` on that are alike and side by side in memory.
  ///
  /// - Returns: the index after them.
  @inline(__always) private mutating func appendLeaf(
    _ entries: TableEntries, _ index: Int, _ bound: Int, _ level: TableFormat.Level, _ base: UInt64,
    _ inherited: Access
  ) -> Int {
    let entry = unsafe entries[index]
    let physical = level.leafField.address(in: entry)
    let reserved = entry & level.reservedInLeaf
    var next = unsafe entries.end(
      from: index, before: bound, step: level.leafField.step(level.span),
      ignoring: reserved == 0 ? input.ignored : 0)
    // Where the frames run over the end of the field, other bits change.
    if unsafe level.leafField.address(in: entries[next - 1])
      != physical &+ UInt64(next - 1 - index) &* level.span
    {
      next = index + 1
    }
    assembler.append(
      Run(
        start: mode.canonical(base &+ UInt64(index) &* level.span),
        last: lastAddress(base, next, level), kind: .leaf, level: level.number,
        flags: entry & ~level.leafField.mask,
        access: inherited.intersection(level.leafRights.access(entry)), physical: physical))
    if reserved != 0 {
      let here = mode.canonical(base &+ UInt64(index) &* level.span)
      note(.reservedBits(reserved), entry, here, level, entries: next - index)
    }
    return next
  }

  /// Appends the entries from `index` on that are holes, or remnants with the same bits outside the
  /// frame.
  ///
  /// - Returns: the index after them.
  @inline(__always) private mutating func appendInvalid(
    _ entries: TableEntries, _ index: Int, _ bound: Int, _ level: TableFormat.Level, _ base: UInt64,
    _ inherited: Access
  ) -> Int {
    let entry = unsafe entries[index]
    let isHole = level.hole.matches(entry)
    let flagMask = ~mode.tableField.mask | mode.invertedFrame
    let flags = isHole ? 0 : entry & flagMask
    var next = isHole ? unsafe entries.end(from: index, before: bound, step: 0) : index + 1
    while next < bound {
      let other = unsafe entries[next]
      guard level.classify(other) == .invalid, level.hole.matches(other) == isHole,
        isHole || other & flagMask == flags
      else { break }
      next += 1
    }
    assembler.append(
      Run(
        start: mode.canonical(base &+ UInt64(index) &* level.span),
        last: lastAddress(base, next, level), kind: isHole ? .hole : .notPresent,
        level: level.number, flags: flags,
        access: isHole ? [] : inherited.intersection(level.leafRights.access(entry))))
    return next
  }

  /// The last address of the entries before `next` of the table at `base`.
  private func lastAddress(_ base: UInt64, _ next: Int, _ level: TableFormat.Level) -> UInt64 {
    mode.canonical(base &+ UInt64(next) &* level.span &- 1)
  }
}
