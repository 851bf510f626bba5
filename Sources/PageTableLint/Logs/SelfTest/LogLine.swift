/// A line of a log, freed of what mailers, printk and syslog put before it.
struct LogLine {
  var start: Int
  var end: Int
  /// Whether something before the text shows that a record begins here.
  var isStamped = false

  /// Whether this is a later piece of a very long line.
  let isRest: Bool

  init(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, isRest: Bool = false) {
    self.start = start
    self.end = end
    self.isRest = isRest
    guard !isRest else { return }
    for _ in 0..<64 where !stripOnce(bytes) { break }
  }

  private mutating func stripOnce(_ bytes: borrowing Span<UInt8>) -> Bool {
    let begin = start
    start = Self.skipBlanks(bytes, start, end)
    guard start < end else { return false }
    switch bytes[start] {
    case UInt8(ascii: ">"), UInt8(ascii: "|"):
      start += 1
    case 1:
      // KERN_SOH and the level's digit.
      start += 1
      if start < end, Self.isDigit(bytes[start]) { start += 1 }
      isStamped = true
    case UInt8(ascii: "<"):
      var next = start + 1
      while next < end, next - start < 5, Self.isDigit(bytes[next]) { next += 1 }
      guard next > start + 1, next < end, bytes[next] == UInt8(ascii: ">") else { break }
      start = next + 1
      isStamped = true
    case UInt8(ascii: "["):
      if let next = Self.afterStamp(bytes, start, end) {
        start = next
        isStamped = true
        skipHostAndTag(bytes)
      }
    case UInt8(ascii: "A")...UInt8(ascii: "S"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      if let next = Self.afterDate(bytes, start, end) ?? Self.afterRecordHead(bytes, start, end) {
        start = next
        isStamped = true
        skipHostAndTag(bytes)
      }
    default:
      break
    }
    return start != begin && start < end
  }

  /// Skips `host kernel: `, with or without the host.
  private mutating func skipHostAndTag(_ bytes: borrowing Span<UInt8>) {
    var position = Self.skipBlanks(bytes, start, end)
    for _ in 0..<2 {
      let word = position
      while position < end, position - word < 80, Self.blankLength(bytes, position, end) == 0 {
        position += 1
      }
      guard position > word else { return }
      if bytes[position - 1] == UInt8(ascii: ":"), position - word >= 7,
        Self.has(bytes, word, position, Self.tag)
      {
        start = position
        return
      }
      position = Self.skipBlanks(bytes, position, end)
    }
  }

  // MARK: - Pieces

  static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  static func has(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, _ text: [UInt8]
  ) -> Bool {
    guard end - start >= text.count else { return false }
    for index in text.indices where bytes[start + index] != text[index] { return false }
    return true
  }

  static let tag = Array("kernel".utf8)
  static let months: [[UInt8]] = [
    "Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ",
    "Dec ",
  ].map { Array($0.utf8) }

  /// The length of the blank at a place: a space, a NUL, a no-break space, a colour sequence.
  static func blankLength(_ bytes: borrowing Span<UInt8>, _ position: Int, _ end: Int) -> Int {
    switch bytes[position] {
    case 0x20, 0x09, 0x0d, 0x0b, 0x0c, 0:
      return 1
    case 0xc2:
      return position + 1 < end && bytes[position + 1] == 0xa0 ? 2 : 0
    case 0xef:
      return position + 2 < end && bytes[position + 1] == 0xbb && bytes[position + 2] == 0xbf
        ? 3 : 0
    case 0x1b:
      guard position + 1 < end, bytes[position + 1] == UInt8(ascii: "[") else { return 1 }
      var next = position + 2
      while next < end, bytes[next] >= 0x20, bytes[next] < 0x40 { next += 1 }
      return min(next + 1, end) - position
    default:
      return 0
    }
  }

  static func skipBlanks(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var position = start
    while position < end {
      let length = blankLength(bytes, position, end)
      if length == 0 { break }
      position += length
    }
    return position
  }
}

func isHexDigit(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
    UInt8(ascii: "A")...UInt8(ascii: "F"):
    return true
  default: return false
  }
}
