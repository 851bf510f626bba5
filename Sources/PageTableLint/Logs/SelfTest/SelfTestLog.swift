/// Finds the CPA self-test in a kernel log, a mail, or what else somebody pasted.
package enum SelfTestLog {
  /// Longer lines are read in pieces, so that a file without line breaks needs no more memory.
  private static let longestPiece = 4096

  /// Returns the passes of the test in the order of the text, none where the text holds none.
  package static func parse(_ text: String) -> [SelfTestRun] {
    var text = text
    text.makeContiguousUTF8()
    return parse(text.utf8.span)
  }

  /// Returns the passes of the test that a text's bytes hold.
  package static func parse(_ bytes: borrowing Span<UInt8>) -> [SelfTestRun] {
    var collector = SelfTestCollector()
    // Tokens that may be the first half of a string that a mailer wrapped.
    var tokens: [LogToken] = []
    var stamped = false
    var number = 0
    var start = 0
    var isRest = false
    let count = bytes.count
    while start < count {
      var end = start
      while end < count, end - start < longestPiece, bytes[end] != UInt8(ascii: "\n") { end += 1 }
      let isWhole = end == count || bytes[end] == UInt8(ascii: "\n")
      if !isRest { number += 1 }
      let line = LogLine(bytes, start, end, isRest: isRest)
      if line.start < line.end {
        if line.isStamped, !tokens.isEmpty {
          collect(bytes, &tokens, isFinal: true, stamped, &collector)
        }
        if !tokens.isEmpty || line.mayMatter(bytes) {
          if tokens.isEmpty { stamped = line.isStamped }
          line.tokenize(bytes, line: number, into: &tokens)
          collect(bytes, &tokens, isFinal: false, stamped, &collector)
        }
      }
      start = isWhole ? end + 1 : end
      isRest = !isWhole
    }
    collect(bytes, &tokens, isFinal: true, stamped, &collector)
    return collector.finish()
  }

  /// Takes the events out of the tokens and leaves those of an event that is not whole yet.
  private static func collect(
    _ bytes: borrowing Span<UInt8>, _ tokens: inout [LogToken], isFinal: Bool, _ stamped: Bool,
    _ collector: inout SelfTestCollector
  ) {
    var index = 0
    while index < tokens.count {
      var grammar = SelfTestGrammar(index: index)
      do {
        let event = try grammar.event(bytes, tokens)
        collector.take(event, line: tokens[index].line, stamped: stamped)
        index = max(grammar.index, index + 1)
      } catch .cut(let event) {
        if !isFinal {
          tokens.removeFirst(index)
          return
        }
        // Only the end is lost: what was read is a complaint already.
        if let event { collector.take(event, line: tokens[index].line, stamped: stamped) }
        index = event == nil ? index + 1 : max(grammar.index, index + 1)
      } catch {
        index += 1
      }
    }
    tokens.removeAll(keepingCapacity: true)
  }
}

// MARK: - Grammar

enum SelfTestEvent {
  case header(early: Bool)
  case statistics(SelfTestStatistics, early: Bool)
  case failure(
    address: UInt64, SelfTestFailure.Kinds, entry: UInt64? = nil, level: Int? = nil,
    afterRevert: UInt64? = nil, isAtEnd: Bool = false)
  case error(SelfTestError.Kind)
  case ok
  case passed
  case notPassed
  case dropped
  case release(String, isBoot: Bool)
  case xen
  case nothing
}

private enum Mismatch: Error {
  case none
  /// The tokens end before the string does; with what stands already, where that is enough.
  case cut(SelfTestEvent?)
}

private struct SelfTestGrammar {
  var index: Int

  mutating func event(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> SelfTestEvent {
    let first = index
    index += 1
    switch tokens[first].word {
    case .cpa: return try complaint(bytes, tokens)
    case .fourK: return .statistics(try statistics(bytes, tokens), early: false)
    case .notCaps:
      try expect(tokens, .passedCaps)
      return try notPassed(tokens)
    case .ok:
      guard tokens[first].isFirst, index < tokens.count, tokens[index].word == .dot,
        index + 1 == tokens.count || tokens[index + 1].line != tokens[index].line
      else { throw .none }
      index += 1
      return .ok
    case .printk:
      guard index + 1 < tokens.count, tokens[index].word == .messages,
        tokens[index + 1].word == .dropped
      else { throw .none }
      index += 2
      return .dropped
    case .linux:
      guard tokens[first].isFirst, index + 1 < tokens.count, tokens[index].word == .version,
        let release = Self.release(bytes, tokens, index + 1)
      else { throw .none }
      return .release(release, isBoot: true)
    case .tainted:
      // The release is the last word before `#1`.
      for place in index..<tokens.count {
        guard tokens[place].line == tokens[first].line else { break }
        let byte = bytes[tokens[place].start]
        guard LogLine.isDigit(byte), tokens[place].start > tokens[place - 1].end else { continue }
        guard let release = Self.release(bytes, tokens, place) else { continue }
        return .release(release, isBoot: false)
      }
      throw .none
    case .booting:
      let words: [LogToken.Word] = [.paravirtualized, .kernel, .on, .xen]
      for word in words {
        guard index < tokens.count, tokens[index].word == word else { throw .none }
        index += 1
      }
      if index < tokens.count, tokens[index].line == tokens[first].line,
        tokens[index].word == .hvm || tokens[index].word == .pvh
      {
        throw .none
      }
      return .xen
    case .other:
      return try notLarge(bytes, tokens, first)
    default: throw .none
    }
  }

  private mutating func complaint(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> SelfTestEvent {
    let place = index
    let word = try next(tokens)
    switch word {
    case .selfWord:
      try expect(tokens, .dash)
      try expect(tokens, .test)
      try expect(tokens, .colon)
      return .header(early: false)
    case .exercising:
      try expect(tokens, .pageattr)
      return .header(early: true)
    case .mapping:
      try expect(tokens, .fourK)
      return .statistics(try statistics(bytes, tokens), early: true)
    case .selftests:
      let word = try next(tokens)
      if word == .passedCaps { return .passed }
      guard word == .notCaps else { throw .none }
      try expect(tokens, .passedCaps)
      return try notPassed(tokens)
    case .lookup:
      try expect(tokens, .of)
      let address = try hex(bytes, tokens)
      try expect(tokens, .failed)
      return .failure(address: address, .lookupFailed)
    case .reverting:
      let word = try next(tokens)
      if word == .everything { return .nothing }
      guard word == .failed else { throw .none }
      try expect(tokens, .colon)
      return .error(.revert(code: try integer(bytes, tokens)))
    case .maxMapped:
      let mapped = try decimal(bytes, tokens)
      try expect(tokens, .but)
      try expect(tokens, .expected)
      return .error(.count(mapped: mapped, expected: try decimal(bytes, tokens)))
    case .cannot:
      try expect(tokens, .vmalloc)
      try expect(tokens, .bitmap)
      return .error(.noMemory)
    default:
      let following = try next(tokens)
      if following == .failed {
        index = place
        let test = try integer(bytes, tokens)
        index += 1
        return .error(.request(test: test, code: try integer(bytes, tokens)))
      }
      if following == .no {
        try expect(tokens, .pte)
        return .nothing
      }
      guard following == .colon,
        let address = Self.number(bytes, tokens[place], radix: 16)
      else { throw .none }
      return try addressed(bytes, tokens, address)
    }
  }

  /// Reads what follows `CPA ffff88001d54e000:`.
  private mutating func addressed(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken], _ address: UInt64
  ) throws(Mismatch) -> SelfTestEvent {
    switch try next(tokens) {
    case .unexpected:
      try expect(tokens, .level)
      let event = SelfTestEvent.failure(address: address, .unexpectedLevel)
      guard index < tokens.count else { throw .cut(event) }
      let place = index
      guard let level = try? integer(bytes, tokens) else {
        index = place
        return event
      }
      return .failure(
        address: address, .unexpectedLevel, level: Int(exactly: level))
    case .bad:
      try expect(tokens, .pte)
      let event = SelfTestEvent.failure(address: address, .badEntry)
      guard index < tokens.count else { throw .cut(event) }
      if tokens[index].word == .after {
        index += 1
        try expect(tokens, .revert)
        let event = SelfTestEvent.failure(address: address, .badEntryAfterRevert)
        guard index < tokens.count else { throw .cut(event) }
        guard let entry = Self.number(bytes, tokens[index], radix: 16) else { return event }
        index += 1
        return .failure(
          address: address, .badEntryAfterRevert, afterRevert: entry,
          isAtEnd: tokens[index - 1].end == bytes.count)
      }
      guard let entry = Self.number(bytes, tokens[index], radix: 16) else { return event }
      index += 1
      return .failure(
        address: address, .badEntry, entry: entry,
        isAtEnd: tokens[index - 1].end == bytes.count)
    default: throw .none
    }
  }

  /// Reads `ffff880000200000 level 2 but not PSE 1000`.
  private mutating func notLarge(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken], _ first: Int
  ) throws(Mismatch) -> SelfTestEvent {
    let token = tokens[first]
    guard token.end - token.start >= 8, let address = Self.number(bytes, token, radix: 16)
    else { throw .none }
    try expect(tokens, .level)
    let level = try integer(bytes, tokens)
    try expect(tokens, .but)
    try expect(tokens, .not)
    try expect(tokens, .pse)
    let event = SelfTestEvent.failure(
      address: address, .notLarge, level: Int(exactly: level))
    guard index < tokens.count else { throw .cut(event) }
    guard let entry = Self.number(bytes, tokens[index], radix: 16) else { return event }
    index += 1
    return .failure(
      address: address, .notLarge, entry: entry, level: Int(exactly: level),
      isAtEnd: tokens[index - 1].end == bytes.count)
  }

  /// Reads what follows `4k`.
  private mutating func statistics(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> SelfTestStatistics {
    let line = tokens[index - 1].line
    let fourK = try decimal(bytes, tokens)
    try expect(tokens, .large)
    let large = try decimal(bytes, tokens)
    try expect(tokens, .gb)
    let gigabyte = try decimal(bytes, tokens)
    try expect(tokens, .x)
    let executable = try decimal(bytes, tokens)
    try expect(tokens, .open)
    let first = try hex(bytes, tokens)
    try expect(tokens, .dash)
    let last = try hex(bytes, tokens)
    try expect(tokens, .close)
    try expect(tokens, .miss)
    let missed = try decimal(bytes, tokens)
    return SelfTestStatistics(
      fourK: fourK, large: large, gigabyte: gigabyte, executable: executable, first: first,
      last: last, missed: missed, line: line)
  }

  /// Takes what follows `NOT PASSED`, whether whole or not.
  private mutating func notPassed(_ tokens: [LogToken]) throws(Mismatch) -> SelfTestEvent {
    try expect(tokens, .dot, or: .notPassed)
    try expect(tokens, .please, or: .notPassed)
    try expect(tokens, .report, or: .notPassed)
    return .notPassed
  }

  // MARK: - Tokens

  private mutating func next(_ tokens: [LogToken]) throws(Mismatch) -> LogToken.Word {
    guard index < tokens.count else { throw .cut(nil) }
    index += 1
    return tokens[index - 1].word
  }

  private mutating func expect(
    _ tokens: [LogToken], _ word: LogToken.Word, or event: SelfTestEvent? = nil
  ) throws(Mismatch) {
    guard index < tokens.count else { throw .cut(event) }
    guard tokens[index].word == word else { throw .none }
    index += 1
  }

  private mutating func hex(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> UInt64 {
    guard index < tokens.count else { throw .cut(nil) }
    guard let value = Self.number(bytes, tokens[index], radix: 16) else { throw .none }
    index += 1
    return value
  }

  private mutating func decimal(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> UInt64 {
    guard index < tokens.count else { throw .cut(nil) }
    guard let value = Self.number(bytes, tokens[index], radix: 10) else { throw .none }
    index += 1
    return value
  }

  private mutating func integer(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> Int64 {
    guard index < tokens.count else { throw .cut(nil) }
    let isNegative = tokens[index].word == .dash
    if isNegative { index += 1 }
    guard let value = Int64(exactly: try decimal(bytes, tokens)) else { throw .none }
    return isNegative ? -value : value
  }

  /// The number that a token is, nil where it is none or does not fit.
  private static func number(
    _ bytes: borrowing Span<UInt8>, _ token: LogToken, radix: UInt64
  ) -> UInt64? {
    var value: UInt64 = 0
    for index in token.start..<token.end {
      let byte = bytes[index]
      guard isHexDigit(byte) else { return nil }
      let digit = UInt64(byte <= UInt8(ascii: "9") ? byte & 15 : (byte & 15) + 9)
      guard digit < radix else { return nil }
      let (shifted, isTooLarge) = value.multipliedReportingOverflow(by: radix)
      let (sum, isStillTooLarge) = shifted.addingReportingOverflow(digit)
      guard !isTooLarge, !isStillTooLarge else { return nil }
      value = sum
    }
    return value
  }

  /// The release that begins with a token and ends with a blank.
  private static func release(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken], _ index: Int
  ) -> String? {
    let start = tokens[index].start
    var end = start
    var dots = 0
    while end < bytes.count, end - start < 128, bytes[end] > 0x20, bytes[end] < 0x7f {
      if bytes[end] == UInt8(ascii: ".") { dots += 1 }
      end += 1
    }
    guard dots > 0, LogLine.isDigit(bytes[start]) else { return nil }
    return String(decoding: (start..<end).map { bytes[$0] }, as: UTF8.self)
  }
}

// MARK: - Passes

/// Puts events together to passes.
private struct SelfTestCollector {
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
    case .release(let name, let isBoot):
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
    case .xen:
      isXenGuest = true
    case .nothing:
      break
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
