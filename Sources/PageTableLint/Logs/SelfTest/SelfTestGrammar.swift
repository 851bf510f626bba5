/// Why tokens are no string of the self-test.
enum Mismatch: Error {
  case none
  /// The tokens end before the string does; with what stands already, where that is enough.
  case cut(SelfTestEvent?)
}

/// Reads the strings that the kernel prints of its CPA self-test.
///
/// Source: arch/x86/mm/pageattr-test.c, 2.6.25 to 5.2, and arch/x86/mm/pat/cpa-test.c, 5.3 and later.
struct SelfTestGrammar {
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
    case .tainted: return try warning(bytes, tokens, first)
    case .booting: return try booting(tokens, first)
    case .hypervisor:
      // `Hypervisor detected: Xen PV`
      for word in [.detected, .colon, .xen, .pv] as [LogToken.Word] { try expect(tokens, word) }
      return .xen
    case .other:
      return try notLarge(bytes, tokens, first)
    default: throw .none
    }
  }

  /// Reads a warning's line, where the release is the last word before `#1`.
  private func warning(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken], _ first: Int
  ) throws(Mismatch) -> SelfTestEvent {
    for place in index..<tokens.count {
      guard tokens[place].line == tokens[first].line else { break }
      let byte = bytes[tokens[place].start]
      guard LogLine.isDigit(byte), tokens[place].start > tokens[place - 1].end else { continue }
      guard let release = Self.release(bytes, tokens, place) else { continue }
      return .release(release, isBoot: false)
    }
    throw .none
  }

  /// Reads what follows `Booting`: `paravirtualized kernel on Xen`, or `kernel on Xen`.
  private mutating func booting(
    _ tokens: [LogToken], _ first: Int
  ) throws(Mismatch) -> SelfTestEvent {
    let words: [LogToken.Word] = [.paravirtualized, .kernel, .on, .xen]
    for word in words {
      if word == .paravirtualized, index < tokens.count, tokens[index].word == .kernel { continue }
      guard index < tokens.count, tokens[index].word == word else { throw .none }
      index += 1
    }
    if index < tokens.count, tokens[index].line == tokens[first].line,
      tokens[index].word == .hvm || tokens[index].word == .pvh
    {
      throw .none
    }
    return .xen
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
    default: return try other(bytes, tokens, place)
    }
  }

  /// Reads what follows `CPA` and no word of the test: an address, or the number of a request.
  private mutating func other(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken], _ place: Int
  ) throws(Mismatch) -> SelfTestEvent {
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
    guard following == .colon, let address = Self.number(bytes, tokens[place], radix: 16) else {
      throw .none
    }
    return try addressed(bytes, tokens, address)
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
}
