internal import Dispatch
internal import Synchronization

/// The tables through which KASAN maps its shadow's unused parts to one page.
///
/// Source: `kasan_early_shadow_pte` and its kin, mm/kasan/init.c, 6.12.
package struct EarlyShadow: Sendable {
  /// The physical address of the table of each level.
  package let tables: [Int: UInt64]
  /// The first entry of the lowest of them.
  package let entry: UInt64

  package init(tables: [Int: UInt64], entry: UInt64) {
    self.tables = tables
    self.entry = entry
  }
}

/// Walks page tables in physical memory into an address space.
package struct Walker {
  private struct TableKey: Hashable {
    let address: UInt64
    let level: Int
    let inherited: Access
  }

  /// A pmd table and what the walk knows when it first comes to it.
  private struct Subtree: Sendable, Equatable {
    let table: UInt64
    let base: UInt64
    let inherited: Access
    let pointer: UInt64?
    let path: [UInt64]

    var key: TableKey {
      TableKey(address: table, level: Walker.subtreeLevel, inherited: inherited)
    }
  }

  private struct WalkedSubtree: Sendable {
    let subtree: Subtree
    let space: AddressSpace
    let tables: FrameSet
  }

  private let mode: TableFormat
  private let memory: any PhysicalMemory
  private let shadow: EarlyShadow?
  private let budget: RunBudget?
  private let progress: Progress?
  /// Where the walk ends; zero for the top of the address space.
  private let end: UInt64
  private var space: AddressSpace
  /// For each level, room for a table that the memory must bring.
  private let rooms: Rooms
  /// For each level, the tables that were read.
  private var seen: [FrameSet]
  /// The tables above the lowest level that were reached, each with what it inherits: below the same
  /// table with other flags lie other mappings, and other pointers to note.
  private var reached: Set<TableKey> = []
  /// The runs of tables that were reached again, relative to the table's first address, where they
  /// are few enough to keep for splicing.
  private var kept: [TableKey: [Run]] = [:]
  private var keptRuns = 0
  /// How many tables were read again.
  private var repeats = 0
  /// Whether the walk is below a table that was reached again.
  private var isRepeating = false
  private var stopped = false
  private var mostAnomalies = Self.anomaliesKept
  private var spliceAllowance = Self.spliceAllowance
  /// Whether the walk was stopped because the tables claim too much.
  private var isBeyondLimit = false
  /// The tables on the way to the one that is read.
  private var path: [UInt64] = []
  /// Not nil where the walk lists the subtrees that can be walked side by side and goes no further.
  private var listed: [Subtree]?
  /// The subtrees that were walked already.
  private var walked: [TableKey: WalkedSubtree] = [:]

  /// The level of the tables below which subtrees are walked side by side: each maps 1 GiB.
  private static let subtreeLevel = 2
  /// Runs from spliced tables that a walk may add beyond 512 for each table it read.
  ///
  /// ESPfix, the
  /// most wasteful thing Linux does with shared tables, makes about 131,072 a processor.
  private static let spliceAllowance = 4 << 20
  /// Tables that a walk may read again, beyond 8 for each table it read.
  private static let repeatAllowance = 1 << 20
  /// A subtree with more runs than this is walked again rather than kept for splicing.
  private static let mostKept = 512
  private static let mostKeptInAll = 1 << 20
  private static let anomaliesKept = 1000
  /// What all subtrees keep together, until they are put together.
  private static let anomaliesKeptBeside = 1 << 20

  /// Reads every table below `root`.
  ///
  /// - Parameters:
  ///   - root: the physical address of the top table.
  ///   - userHalfOnly: leaves out the kernel's half of the top table.
  ///   - shadow: tables that are taken for one leaf, as the kernel's own dumper does.
  ///   - inParallel: uses all processors; what is found is the same.
  ///   - budget: the walk stops where it is used up.
  ///   - progress: called now and then, on any thread, with the number of tables read.
  package static func walk(
    root: UInt64, mode: TableFormat, memory: any PhysicalMemory, userHalfOnly: Bool = false,
    shadow: EarlyShadow? = nil, inParallel: Bool = true, budget: RunBudget? = nil,
    progress: (@Sendable (Int) -> Void)? = nil
  ) -> AddressSpace {
    let progress = progress.map(Progress.init)
    @Sendable func walker() -> Walker {
      Walker(
        mode: mode, memory: memory, shadow: shadow, end: userHalfOnly ? mode.upperHalf : 0,
        budget: budget, progress: progress)
    }
    var whole = walker()
    if inParallel, mode.levels.count > Self.subtreeLevel + 1 {
      var lister = walker()
      lister.listed = []
      lister.walkTable(at: root)
      let subtrees = lister.listed ?? []
      if subtrees.count > 1 {
        let walked = Mutex<[TableKey: WalkedSubtree]>([:])
        DispatchQueue.concurrentPerform(iterations: subtrees.count) { index in
          let result = walker().walking(subtrees[index], of: subtrees.count)
          walked.withLock { $0[subtrees[index].key] = result }
        }
        // Each is given back when it is taken over.
        whole.walked = walked.withLock { walked in exchange(&walked, with: [:]) }
      }
    }
    whole.walkTable(at: root)
    return whole.space
  }

  private init(
    mode: TableFormat, memory: any PhysicalMemory, shadow: EarlyShadow?, end: UInt64,
    budget: RunBudget?, progress: Progress?
  ) {
    self.mode = mode
    self.memory = memory
    self.shadow = shadow
    self.end = end
    self.budget = budget
    self.progress = progress
    space = AddressSpace(mode: mode, runs: [])
    rooms = Rooms(mode)
    seen = Array(repeating: FrameSet(), count: mode.levels.count + 1)
  }

  private mutating func walkTable(at root: UInt64) {
    walkTable(
      at: root, level: mode.levels.count, base: 0, inherited: .all, pointer: nil)
  }

  /// - Returns: nil where spliced tables make more of it than its own can: the walk over all subtrees
  ///   has a limit for that.
  private consuming func walking(_ subtree: Subtree, of count: Int) -> WalkedSubtree? {
    var walker = self
    walker.mostAnomalies = min(Self.anomaliesKept, max(1, Self.anomaliesKeptBeside / count))
    walker.spliceAllowance = Self.mostKept
    walker.path = subtree.path
    walker.walkTable(
      at: subtree.table, level: Self.subtreeLevel, base: subtree.base,
      inherited: subtree.inherited, pointer: subtree.pointer)
    return walker.isBeyondLimit
      ? nil : WalkedSubtree(subtree: subtree, space: walker.space, tables: walker.seen[1])
  }

  /// Takes over what was found below a table, as if it had been walked now.
  private mutating func take(_ walked: WalkedSubtree) {
    let found = walked.space
    var next = 0
    // What goes before may go on into the first runs, and cut them otherwise: as the walk would find
    // them, then, until both are cut alike.
    while next < found.runs.count {
      let run = found.runs[next]
      next += 1
      if appendAsWalked(run) { break }
    }
    space.runs += found.runs[next...]
    space.pointers.append(found.pointers)
    for anomaly in found.anomalies { note(anomaly) }
    space.anomaliesLeftOut += found.anomaliesLeftOut
    space.tablesRead += found.tablesRead - walked.tables.count
    space.tablesRead += seen[1].formUnion(walked.tables)
  }

  /// Appends a run as the walk of its tables does: of leaves with the same frame, the first one alone.
  ///
  /// - Returns: whether what follows is cut as it is behind that run alone.
  private mutating func appendAsWalked(_ run: Run) -> Bool {
    let span = mode.span(of: run)
    if run.repeats,
      let first = run.clipped(from: run.start, through: run.start &+ (span - 1), span: span),
      let rest = run.clipped(from: run.start &+ span, through: run.last, span: span)
    {
      append(first)
      append(rest)
    } else {
      append(run)
    }
    guard run.isLeaf, let last = space.runs.last else { return true }
    return last.start == run.start
      || last.size > span && run.size > span && last.repeats == run.repeats
  }

  private mutating func note(_ anomaly: Anomaly) {
    if space.anomalies.count < mostAnomalies {
      space.anomalies.append(anomaly)
    } else {
      space.anomaliesLeftOut += 1
    }
  }

  private mutating func append(_ run: Run) {
    Run.append(run, to: &space.runs, mode: mode)
  }

  private mutating func walkTable(
    at address: UInt64, level number: Int, base: UInt64, inherited: Access, pointer: UInt64?
  ) {
    let key = TableKey(address: address, level: number, inherited: inherited)
    let isNew = seen[number].insert(address)
    if number == 1 ? isNew : reached.insert(key).inserted {
      if number == Self.subtreeLevel {
        let subtree = Subtree(
          table: address, base: base, inherited: inherited, pointer: pointer, path: path)
        if listed != nil {
          listed?.append(subtree)
          return
        }
        // Tables that change while they are read, or lead back to themselves, may be met elsewhere.
        if let found = walked.removeValue(forKey: key), found.subtree == subtree {
          take(found)
          return
        }
      }
      readTable(
        at: address, level: number, base: base, inherited: inherited, pointer: pointer,
        isNew: isNew)
      return
    }
    // All that lies below was listed when the table was reached first.
    if listed != nil { return }
    let size = mode.level(number).span &* UInt64(mode.level(number).entries)
    if let runs = kept[key] {
      splice(runs, at: base, size: size, level: number)
      return
    }
    repeats += 1
    guard !isBeyond(Self.repeatAllowance + 8 * space.tablesRead, repeats, base, size, number),
      !isBeyond(mostRuns, space.runs.count, base, size, number)
    else { return }
    let isOutermost = !isRepeating
    isRepeating = true
    defer { if isOutermost { isRepeating = false } }
    let firstRun = space.runs.count
    let anomaliesBefore = space.anomalies.count + space.anomaliesLeftOut
    readTable(
      at: address, level: number, base: base, inherited: inherited, pointer: pointer, isNew: false)
    guard number < mode.levels.count, !stopped,
      space.anomalies.count + space.anomaliesLeftOut == anomaliesBefore,
      space.runs.count - firstRun <= Self.mostKept, keptRuns < Self.mostKeptInAll
    else { return }
    // Clipped, because the first run may have been merged into the neighbour before the table.
    let start = mode.canonical(base)
    let runs = space.runs(from: start, through: start &+ (size &- 1)).map { run in
      var relative = run
      relative.start = run.start &- start
      relative.last = run.last &- start
      return relative
    }
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
      unsafe entries = try unsafe rooms.entries(at: address, of: level, in: memory)
    } catch {
      let size = level.span &* UInt64(level.entries)
      note(
        Anomaly(
          error == .outsideMemory ? .tableOutsideMemory : .tableNotInImage,
          address: mode.canonical(base), size: size,
          level: number == mode.levels.count ? nil : number + 1, entry: pointer))
      appendUnreadable(base, size: size, level: number)
      if isNew { seen[number].remove(address) }
      return
    }
    if isNew {
      space.tablesRead += 1
      if space.tablesRead & 255 == 0 { progress?.add(256) }
    }
    if number == 1 {
      let before = space.runs.count
      unsafe scanLeaves(entries, level: level, base: base, inherited: inherited)
      holdToBudget(space.runs.count - before, base, level.span &* UInt64(level.entries), number)
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
        ? appendNotPresent(entries, index, entries.count, level, base, inherited)
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
    let lowest = mode.level(1)
    var index = 0
    while index < level.entries {
      let start = base &+ UInt64(index) &* level.span
      let here = mode.canonical(start)
      if end != 0, here >= end, level.number == mode.levels.count { break }
      let bound = index < half ? half : level.entries
      let entry = unsafe entries[index]
      let kind = level.classify(entry)
      if kind == .invalid {
        index = unsafe appendNotPresent(entries, index, bound, level, base, inherited)
        holdToBudget(1, start, level.span, level.number)
        continue
      }
      if kind == .leaf {
        let reserved = entry & level.reservedInLeaf
        if reserved != 0 {
          note(
            Anomaly(
              .reservedBits(reserved), address: here, size: level.span, level: level.number,
              entry: entry))
        }
        index = unsafe appendLeaf(entries, index, bound, level, base, inherited)
        holdToBudget(1, start, level.span, level.number)
        continue
      }
      index += 1
      let reserved = entry & level.reservedInTable
      if reserved != 0 {
        note(
          Anomaly(
            .reservedBits(reserved), address: here, size: level.span, level: level.number,
            entry: entry))
        appendUnreadable(start, size: level.span, level: level.number)
      } else if let shadow, shadow.tables[level.number - 1] == mode.tableField.address(in: entry) {
        var run = Run(
          start: here, last: here &+ (level.span &- 1), kind: .leaf, level: 1,
          flags: shadow.entry & ~lowest.leafField.mask,
          access: lowest.leafRights.access(shadow.entry),
          physical: lowest.leafField.address(in: shadow.entry), repeats: true)
        run.isStale = true
        append(run)
      } else if path.contains(mode.tableField.address(in: entry)) {
        note(
          Anomaly(
            .tableCycle, address: here, size: level.span, level: level.number, entry: entry))
        appendUnreadable(start, size: level.span, level: level.number)
      } else if stopped {
        appendUnreadable(start, size: level.span, level: level.number)
      } else {
        if !isRepeating {
          space.pointers.append(
            TablePointer(address: here, parent: table, entry: entry, level: level))
        }
        walkTable(
          at: mode.tableField.address(in: entry), level: level.number - 1, base: start,
          inherited: inherited.intersection(level.tableRights.access(entry)), pointer: entry)
      }
    }
  }

  /// Appends the leaves from `index` on that are alike and side by side in memory.
  ///
  /// - Returns: the index behind them.
  @inline(__always) private mutating func appendLeaf(
    _ entries: TableEntries, _ index: Int, _ bound: Int, _ level: TableFormat.Level, _ base: UInt64,
    _ inherited: Access
  ) -> Int {
    let entry = unsafe entries[index]
    let next = unsafe entries.end(
      from: index, before: bound, step: level.leafField.step(level.span))
    append(
      Run(
        start: mode.canonical(base &+ UInt64(index) &* level.span),
        last: lastAddress(base, next, level), kind: .leaf, level: level.number,
        flags: entry & ~level.leafField.mask,
        access: inherited.intersection(level.leafRights.access(entry)),
        physical: level.leafField.address(in: entry)))
    return next
  }

  /// Appends the entries from `index` on that are holes, or remnants with the same bits outside the
  /// frame.
  ///
  /// - Returns: the index behind them.
  @inline(__always) private mutating func appendNotPresent(
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
    append(
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

  private mutating func appendUnreadable(_ base: UInt64, size: UInt64, level: Int) {
    append(
      Run(
        start: mode.canonical(base), last: mode.canonical(base &+ size &- 1), kind: .unreadable,
        level: level))
  }

  /// The runs that the tables which were read can warrant.
  private var mostRuns: Int { spliceAllowance + 512 * space.tablesRead }

  /// Whether the tables claim more than the image can warrant, by `count`: then the walk stops.
  private mutating func isBeyond(
    _ limit: Int, _ count: Int, _ base: UInt64, _ size: UInt64, _ level: Int
  ) -> Bool {
    guard stopped || count > limit else { return false }
    if !stopped {
      stopped = true
      isBeyondLimit = true
      note(Anomaly(.walkLimit, address: mode.canonical(base), size: size, level: level))
    }
    appendUnreadable(base, size: size, level: level)
    return true
  }

  /// Stops the walk where the runs that were found last do not fit any more.
  private mutating func holdToBudget(_ count: Int, _ base: UInt64, _ size: UInt64, _ level: Int) {
    guard count > 0, let budget, !budget.take(count), !stopped else { return }
    stopped = true
    note(Anomaly(.memoryLimit, address: mode.canonical(base), size: size, level: level))
  }

  private mutating func splice(_ runs: [Run], at base: UInt64, size: UInt64, level: Int) {
    guard !isBeyond(mostRuns, space.runs.count + runs.count, base, size, level) else { return }
    let start = mode.canonical(base)
    for run in runs {
      var copy = run
      copy.start = run.start &+ start
      copy.last = run.last &+ start
      append(copy)
    }
    holdToBudget(runs.count, base, size, level)
  }
}

/// Room for one table of each level, for memory that cannot show its tables in place.
@safe private final class Rooms {
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
    if mode.entrySize == 8,
      let bytes = unsafe try memory.mapped(at: address, size: level.entries * 8),
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

/// Counts the tables of all threads.
private final class Progress: Sendable {
  private let report: @Sendable (Int) -> Void
  private let tables = Mutex(0)

  init(_ report: @escaping @Sendable (Int) -> Void) { self.report = report }

  func add(_ count: Int) {
    report(
      tables.withLock {
        $0 += count
        return $0
      })
  }
}
