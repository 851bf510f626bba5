/// Puts events together to passes.
struct SelfTestCollector {
  private var runs: [SelfTestRun] = []
  private var run: SelfTestRun?
  private var places: [UInt64: Int] = [:]
  private var release: String?
  private var isXenGuest = false
  private var boot = 0
  private var isStamped = false

  mutating func take(_ event: SelfTestEvent, line: Int, stamped: Bool) {
    switch event {
    case .header(let early):
      close()
      open(line, stamped) { run in
        run.hasHeader = true
        run.isEarlyForm = early
      }
    case .statistics(let statistics, let early):
      if run?.statistics.count == 3 { close() }
      open(line, stamped) { run in
        run.statistics.append(statistics)
        if early { run.isEarlyForm = true }
      }
    case .failure(let address, let kinds, let entry, let level, let afterRevert, let isAtEnd):
      if run?.statistics.count == 3, !kinds.contains(.notLarge) { close() }
      fail(address, kinds, entry, level, afterRevert, line, stamped)
      if isAtEnd, let last = run?.failures.firstIndex(where: { $0.address == address }) {
        run?.failures[last].isEntryAtEnd = true
      }
    case .error(let kind):
      if case .count = kind {} else if run?.statistics.count == 3 { close() }
      open(line, stamped) { $0.errors.append(SelfTestError(kind: kind, line: line)) }
    case .ok:
      // A line of the test's own, not somebody's remark.
      guard let current = run, !current.statistics.isEmpty, stamped || !isStamped else { return }
      open(line, stamped) { $0.saidPassed = true }
      close()
    case .passed:
      open(line, stamped) { run in
        run.saidPassed = true
        run.isEarlyForm = true
      }
      close()
    case .notPassed:
      open(line, stamped) { $0.saidNotPassed = true }
      close()
    case .dropped:
      run?.hasDroppedMessages = true
    case .release(let name, let isBoot): take(release: name, isBoot: isBoot)
    case .xen:
      isXenGuest = true
    case .nothing:
      break
    }
  }

  private mutating func take(release name: String, isBoot: Bool) {
    if isBoot {
      close()
      boot += 1
      isXenGuest = false
      release = name
    } else if release == nil {
      release = name
      // A warning's own line: the passes before it are of the same boot.
      run?.release = name
      for index in runs.indices where runs[index].boot == boot { runs[index].release = name }
    }
  }

  mutating func finish() -> [SelfTestRun] {
    close()
    return runs
  }

  private mutating func open(
    _ line: Int, _ stamped: Bool, _ change: (inout SelfTestRun) -> Void
  ) {
    var current = run ?? begin(line, stamped)
    run = nil
    change(&current)
    current.lines = current.lines.lowerBound...max(line, current.lines.upperBound)
    run = current
  }

  private mutating func begin(_ line: Int, _ stamped: Bool) -> SelfTestRun {
    var current = SelfTestRun(line: line)
    current.release = release
    current.isXenGuest = isXenGuest
    current.boot = boot
    isStamped = stamped
    places.removeAll(keepingCapacity: true)
    return current
  }

  private mutating func close() {
    guard var ended = run else { return }
    run = nil
    if let last = ended.failures.indices.last, !ended.isComplete,
      ended.failures[last].lines.last == ended.lines.upperBound
    {
      ended.failures[last].isLastWord = true
    }
    runs.append(ended)
  }

  private mutating func fail(
    _ address: UInt64, _ kinds: SelfTestFailure.Kinds, _ entry: UInt64?, _ level: Int?,
    _ afterRevert: UInt64?, _ line: Int, _ stamped: Bool
  ) {
    var current = run ?? begin(line, stamped)
    run = nil
    let place = places[address] ?? current.failures.count
    if place == current.failures.count {
      places[address] = place
      current.failures.append(SelfTestFailure(address: address, kinds: [], lines: []))
    }
    current.failures[place].kinds.formUnion(kinds)
    // What the test of the page itself says goes before what the count of all entries says.
    let isCount = kinds.contains(.notLarge)
    if let entry, !isCount || current.failures[place].entry == nil {
      current.failures[place].entry = entry
    }
    if let level, !isCount || current.failures[place].level == nil {
      current.failures[place].level = level
    }
    if current.failures[place].entryAfterRevert == nil {
      current.failures[place].entryAfterRevert = afterRevert
    }
    current.failures[place].lines.append(line)
    if kinds.contains(.badEntry) || kinds.contains(.unexpectedLevel) {
      current.failures[place].changeLine = line
    }
    current.lines = current.lines.lowerBound...max(line, current.lines.upperBound)
    run = current
  }
}
