internal import Glibc

/// Puts together what a walk finds, and stops it where the tables claim more than is warranted.
struct RunAssembler {
  private let mode: TableFormat
  private let budget: RunBudget?
  private let ignored: UInt64
  private(set) var space: AddressSpace
  /// Whether the walk shall read no more tables.
  private(set) var stopped = false
  /// Whether the walk was stopped because the tables claim too much.
  private(set) var isBeyondLimit = false
  private let mostAnomalies: Int
  private let spliceAllowance: Int
  private let mostEntries: Int
  /// How often the walk came to a table again.
  private var repeats = 0

  /// How often it may, beyond 8 times for each table it read.
  ///
  /// ESPfix's tables take 32 for each processor. Source: `init_espfix_ap`,
  /// arch/x86/kernel/espfix_64.c, 6.12.
  private static let repeatAllowance = 1 << 17

  /// Runs from spliced tables that a walk may add beyond a table's worth for each table it read.
  ///
  /// ESPfix, the
  /// most wasteful thing Linux does with shared tables, makes about 131,072 a processor.
  private static let spliceAllowance = 4 << 20
  /// A subtree with more runs than this is walked again rather than kept for splicing.
  static let mostKept = 512
  private static let anomaliesKept = 1000
  /// What all subtrees keep together, until they are put together.
  private static let anomaliesKeptBeside = 1 << 20

  /// - Parameter subtrees: how many there are, where this is for one of them; nil for a whole walk.
  init(_ input: WalkInput, subtrees: Int? = nil) {
    mode = input.mode
    budget = input.budget
    ignored = input.ignored
    space = AddressSpace(mode: mode, runs: [])
    space.tellsIncidental = ignored == 0
    mostEntries = mode.levels.map(\.entries).max() ?? 0
    spliceAllowance = subtrees == nil ? Self.spliceAllowance : Self.mostKept
    mostAnomalies =
      subtrees.map { min(Self.anomaliesKept, max(1, Self.anomaliesKeptBeside / $0)) }
      ?? Self.anomaliesKept
  }

  /// How many anomalies there were, kept or not.
  var anomalies: Int { space.anomalies.count + space.anomaliesLeftOut }

  /// The runs that the tables which were read can warrant.
  var mostRuns: Int { spliceAllowance + mostEntries * space.tablesRead }

  /// Makes room for a subtree's runs, and for those of all that follow if they have as many, so that
  /// runs are seldom moved.
  mutating func reserve(for found: WalkedSubtree, _ number: Int, of subtrees: Int) {
    let needed = space.runs.count + found.space.runs.count
    guard needed > space.runs.capacity else { return }
    let expected = needed / number * subtrees / 8 * 9
    guard expected - needed <= budget?.remaining ?? .max else { return }
    space.runs.reserveCapacity(expected)
    space.runs.adviseLargePages()
  }

  mutating func append(_ run: Run) {
    Run.append(run, to: &space.runs, mode: mode, ignoring: ignored)
  }

  mutating func append(_ pointer: TablePointer) { space.pointers.append(pointer) }

  mutating func countTable() { space.tablesRead += 1 }

  mutating func note(_ anomaly: Anomaly) {
    if space.anomalies.count < mostAnomalies {
      space.anomalies.append(anomaly)
    } else {
      space.anomaliesLeftOut += 1
    }
  }

  mutating func appendUnreadable(_ base: UInt64, size: UInt64, level: Int) {
    append(
      Run(
        start: mode.canonical(base), last: mode.canonical(base &+ size &- 1), kind: .unreadable,
        level: level))
  }

  /// Whether the tables claim more than the image can warrant, by `count`: then the walk stops.
  mutating func isBeyond(
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

  /// Counts a table that the walk comes to again; true where it does so too often, and stops then.
  mutating func isTooOften(_ base: UInt64, _ size: UInt64, _ level: Int) -> Bool {
    repeats += 1
    return isBeyond(Self.repeatAllowance + 8 * space.tablesRead, repeats, base, size, level)
  }

  /// Stops the walk where the runs that were found last do not fit any more.
  mutating func holdToBudget(_ count: Int, _ base: UInt64, _ size: UInt64, _ level: Int) {
    guard count > 0, let budget, !budget.take(count), !stopped else { return }
    stopped = true
    note(
      Anomaly(
        budget.isOfImage ? .walkLimit : .memoryLimit, address: mode.canonical(base), size: size,
        level: level))
  }

  /// Appends the runs of a table that was read before, which are relative to its first address.
  mutating func splice(_ runs: [Run], at base: UInt64, size: UInt64, level: Int) {
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

  /// The runs of `size` bytes from `base` on, relative to it.
  func relativeRuns(at base: UInt64, size: UInt64) -> [Run] {
    // Clipped, because the first run may have been merged into the neighbour before the table.
    let start = mode.canonical(base)
    return space.runs(from: start, through: start &+ (size &- 1)).map { run in
      var relative = run
      relative.start = run.start &- start
      relative.last = run.last &- start
      return relative
    }
  }

  /// Takes over what was found below a table, as if it had been walked now.
  ///
  /// - Parameter newTables: how many of its tables of the lowest level were not read before.
  mutating func take(_ walked: WalkedSubtree, newTables: Int) {
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
    space.tablesRead += found.tablesRead - walked.tables.count + newTables
  }

  /// Appends a run as the walk of its tables does: of leaves with the same frame, the first one alone.
  ///
  /// - Returns: whether what follows is cut as it is after that run alone.
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
}

extension [Run] {
  /// Asks for large pages: to be given 4 KiB by a page fault takes longer than to fill them.
  fileprivate mutating func adviseLargePages() {
    let (page, largePage) = (4096, 2 << 20)
    let capacity = capacity
    unsafe withUnsafeMutableBufferPointer { runs in
      guard let base = runs.baseAddress else { return }
      let start = UnsafeMutableRawPointer(base)
      let first = unsafe start.alignedUp(toMultipleOf: page)
      let bytes = unsafe capacity * MemoryLayout<Run>.stride - (first - start)
      if bytes >= largePage { unsafe madvise(first, bytes, MADV_HUGEPAGE) }
    }
  }
}
