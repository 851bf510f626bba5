/// The pieces that those strings are made of.
extension SelfTestGrammar {
  mutating func next(_ tokens: [LogToken]) throws(Mismatch) -> LogToken.Word {
    guard index < tokens.count else { throw .cut(nil) }
    index += 1
    return tokens[index - 1].word
  }

  mutating func expect(
    _ tokens: [LogToken], _ word: LogToken.Word, or event: SelfTestEvent? = nil
  ) throws(Mismatch) {
    guard index < tokens.count else { throw .cut(event) }
    guard tokens[index].word == word else { throw .none }
    index += 1
  }

  mutating func hex(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> UInt64 {
    guard index < tokens.count else { throw .cut(nil) }
    guard let value = Self.number(bytes, tokens[index], radix: 16) else { throw .none }
    index += 1
    return value
  }

  mutating func decimal(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> UInt64 {
    guard index < tokens.count else { throw .cut(nil) }
    guard let value = Self.number(bytes, tokens[index], radix: 10) else { throw .none }
    index += 1
    return value
  }

  mutating func integer(
    _ bytes: borrowing Span<UInt8>, _ tokens: [LogToken]
  ) throws(Mismatch) -> Int64 {
    guard index < tokens.count else { throw .cut(nil) }
    let isNegative = tokens[index].word == .dash
    if isNegative { index += 1 }
    guard let value = Int64(exactly: try decimal(bytes, tokens)) else { throw .none }
    return isNegative ? -value : value
  }

  /// The number that a token is, nil where it is none or does not fit.
  static func number(
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
  static func release(
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
