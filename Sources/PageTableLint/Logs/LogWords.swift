internal import PageTables

/// The words of one message, searched without regard to the blanks in them.
struct LogWords {
  let bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.utf8) }

  /// A number in hexadecimal as printed.
  struct Number {
    /// Nil where no digit stands there.
    let value: UInt64?
    let digits: String
    /// The place after it.
    let end: Int
  }

  /// The place after the first `phrase`, which is written without blanks.
  func end(of phrase: [UInt8], from start: Int = 0) -> Int? {
    guard let first = phrase.first else { return nil }
    let text = bytes.span
    var begin = text.place(of: first, from: start, to: bytes.count)
    while begin < bytes.count {
      if let end = match(phrase, at: begin) { return end }
      begin = text.place(of: first, from: begin + 1, to: bytes.count)
    }
    return nil
  }

  private func match(_ phrase: [UInt8], at begin: Int) -> Int? {
    var position = begin
    for byte in phrase {
      while position < bytes.count, bytes[position] == 0x20 { position += 1 }
      guard position < bytes.count, bytes[position] == byte else { return nil }
      position += 1
    }
    return position
  }

  func end(of phrase: String, from start: Int = 0) -> Int? {
    end(of: phrase.utf8.filter { $0 != 0x20 }, from: start)
  }

  /// The number at a place, after blanks, `=` and `0x`; what `%p` printed for 0 is 0.
  func number(at start: Int) -> Number {
    var position = start
    while position < bytes.count, bytes[position] == 0x20 || bytes[position] == UInt8(ascii: "=") {
      position += 1
    }
    for null in ["(null)", "<null>"] where has(null, at: position) {
      return Number(value: 0, digits: null, end: position + null.utf8.count)
    }
    if has("0x", at: position) { position += 2 }
    let first = position
    // The kernel prints small letters; another word may follow without a blank where lines were
    // wrapped.
    while position < bytes.count, Self.isHexDigit(bytes[position]) { position += 1 }
    // A word that only begins with such letters is none.
    if position < bytes.count, isSmallLetter(bytes[position]) { position = first }
    let digits = String(decoding: bytes[first..<position], as: UTF8.self)
    return Number(value: UInt64(digits, radix: 16), digits: digits, end: position)
  }

  func has(_ text: String, at position: Int) -> Bool {
    position >= 0 && bytes.count - position >= text.utf8.count
      && bytes[position...].starts(with: text.utf8)
  }

  static func isHexDigit(_ byte: UInt8) -> Bool {
    LogLine.isDigit(byte) || (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"))
  }

  private func isSmallLetter(_ byte: UInt8) -> Bool {
    (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
  }

  private func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
      || byte == UInt8(ascii: "_")
  }

  /// The places after each `name` that stands as a word, in order.
  func places(after name: String) -> [Int] {
    let wanted = Array(name.utf8)
    guard bytes.count >= wanted.count else { return [] }
    return (0...(bytes.count - wanted.count)).filter { begin in
      bytes[begin] == wanted[0] && has(name, at: begin)
        && (begin == 0 || !isWord(bytes[begin - 1]))
    }.map { $0 + wanted.count }
  }

  private func isWord(_ byte: UInt8) -> Bool {
    isLetter(byte) || LogLine.isDigit(byte) || byte == UInt8(ascii: "*")
  }

  /// The words from a place on.
  func words(from start: Int) -> [String] {
    bytes[min(start, bytes.count)...].split(whereSeparator: { $0 <= 0x20 }).map {
      String(decoding: $0, as: UTF8.self)
    }
  }
}

extension LogWords {
  /// A report's first line, recognised.
  struct Found {
    let header: Claim.Header
    let number: Number
    /// Whether its address is all there.
    var isWhole: Bool {
      let count = number.digits.utf8.count
      return !header.isPadded ? count > 0 : [6, 8, 16].contains(count)
    }
  }

  func header(of claim: Claim) -> Found? {
    for header in claim.headers {
      if let end = end(of: header.phrase) { return Found(header: header, number: number(at: end)) }
    }
    return nil
  }

  /// Whether the text ends in the beginning of a report's first line.
  func hasPart(of claim: Claim) -> Bool {
    let compact = bytes.filter { $0 != 0x20 }
    return claim.headers.contains { header in
      guard header.phrase.count > 12, compact.count >= 12 else { return false }
      return (12..<min(header.phrase.count, compact.count + 1)).contains { count in
        compact.suffix(count).elementsEqual(header.phrase.prefix(count))
      }
    }
  }

  func hasEntry(of claim: Claim) -> Bool {
    claim.entryNames.contains { !places(after: $0.printed).isEmpty }
  }
}
