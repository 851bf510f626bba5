/// A word, a number or a mark of a log line.
struct LogToken {
  /// The words that the self-test's strings are made of.
  enum Word {
    case other, cpa, fourK, selfWord, test, bad, pte, after, revert, unexpected, level, lookup, of
    case failed, reverting, everything, but, not, pse, maxMapped, expected, cannot, vmalloc, bitmap
    case large, gb, x, miss, ok, passedCaps, notCaps, please, report, mapping, exercising, pageattr
    case selftests, no, linux, version, messages, dropped, printk, tainted, booting
    case paravirtualized, kernel, on, xen, hvm, pvh
    case colon, dash, open, close, dot
  }

  var word: Word
  var start: Int
  var end: Int
  var line: Int
  var isFirst: Bool

  /// A word of up to 16 bytes in two registers, so that a log's words are looked up quickly.
  private struct Key: Hashable {
    var low: UInt64 = 0
    var high: UInt64 = 0

    mutating func append(_ byte: UInt8) {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
  }

  private static let words: [Key: Word] = {
    let list: [(String, Word)] = [
      ("CPA", .cpa), ("4k", .fourK), ("self", .selfWord), ("test", .test), ("bad", .bad),
      ("pte", .pte), ("after", .after), ("revert", .revert), ("unexpected", .unexpected),
      ("level", .level), ("lookup", .lookup), ("of", .of), ("failed", .failed),
      ("reverting", .reverting), ("everything", .everything), ("but", .but), ("not", .not),
      ("PSE", .pse), ("max_pfn_mapped", .maxMapped), ("max_mapped", .maxMapped),
      ("expected", .expected), ("Cannot", .cannot), ("vmalloc", .vmalloc), ("bitmap", .bitmap),
      ("large", .large), ("gb", .gb), ("x", .x), ("miss", .miss), ("ok", .ok),
      ("PASSED", .passedCaps), ("NOT", .notCaps), ("Please", .please), ("report", .report),
      ("mapping", .mapping), ("exercising", .exercising), ("pageattr", .pageattr),
      ("selftests", .selftests), ("no", .no), ("Linux", .linux), ("version", .version),
      ("messages", .messages), ("dropped", .dropped), ("printk", .printk), ("Tainted", .tainted),
      ("tainted", .tainted), ("Booting", .booting), ("paravirtualized", .paravirtualized),
      ("kernel", .kernel), ("on", .on), ("Xen", .xen), ("HVM", .hvm), ("PVH", .pvh),
      (":", .colon), ("-", .dash), ("[", .open), ("]", .close), (".", .dot),
    ]
    var words: [Key: Word] = [:]
    for (text, word) in list {
      var key = Key()
      for byte in text.utf8 { key.append(byte) }
      words[key] = word
    }
    return words
  }()

  static func classify(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Word {
    guard end - start <= 16, isInitial(bytes[start]) else { return .other }
    var key = Key()
    for index in start..<end { key.append(bytes[index]) }
    return words[key] ?? .other
  }

  /// Whether some word begins with a byte; most numbers are told by that.
  private static func isInitial(_ byte: UInt8) -> Bool {
    byte < UInt8(ascii: "0") || byte == UInt8(ascii: "4") || byte > UInt8(ascii: "9")
  }
}

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

  private static let tag = Array("kernel".utf8)
  private static let months: [[UInt8]] = [
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

  /// The place after `[   32.956015]`, `[    T1]` or `[Mon Jun 30 11:11:51 2008]`.
  private static func afterStamp(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Int? {
    var position = skipBlanks(bytes, start + 1, end)
    let first = position
    var digits = 0
    var dots = 0
    var colons = 0
    var letters = 0
    while position < end, position - first < 40, bytes[position] != UInt8(ascii: "]") {
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: "."): dots += 1
      case UInt8(ascii: ":"): colons += 1
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
        letters += 1
      case 0x20: break
      default:
        let length = blankLength(bytes, position, end)
        if length == 0 { return nil }
        position += length - 1
      }
      position += 1
    }
    guard position < end, position > first, bytes[position] == UInt8(ascii: "]") else {
      return nil
    }
    let isTime = letters == 0 && dots == 1 && colons == 0 && digits >= 2
    let isCaller =
      letters == 1 && digits >= 1 && dots == 0 && colons == 0
      && (bytes[first] == UInt8(ascii: "T") || bytes[first] == UInt8(ascii: "C"))
    let isDate = letters == 6 && colons == 2 && dots == 0 && digits >= 9
    return isTime || isCaller || isDate ? position + 1 : nil
  }

  /// The place after `Jun 30 11:11:51` or `2008-06-30T11:11:51.5+02:00`.
  private static func afterDate(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Int? {
    var position = start
    if isDigit(bytes[start]) {
      var dashes = 0
      var colons = 0
      var hasT = false
      while position < end, position - start < 40, blankLength(bytes, position, end) == 0 {
        switch bytes[position] {
        case UInt8(ascii: "-"): dashes += 1
        case UInt8(ascii: ":"): colons += 1
        case UInt8(ascii: "T"): hasT = true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
          UInt8(ascii: ","), UInt8(ascii: "Z"):
          break
        default: return nil
        }
        position += 1
      }
      return hasT && dashes >= 2 && colons >= 2 ? position : nil
    }
    guard hasMonth(bytes, start, end) else { return nil }
    position = skipBlanks(bytes, start + 3, end)
    let day = position
    while position < end, isDigit(bytes[position]) { position += 1 }
    guard position > day, position - day <= 2 else { return nil }
    position = skipBlanks(bytes, position, end)
    let time = position
    var colons = 0
    while position < end, position - time < 20 {
      if bytes[position] == UInt8(ascii: ":") {
        colons += 1
      } else if !isDigit(bytes[position]), bytes[position] != UInt8(ascii: ".") {
        break
      }
      position += 1
    }
    return colons == 2 ? position : nil
  }

  private static func hasMonth(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Bool {
    for month in months where has(bytes, start, end, month) { return true }
    return false
  }

  /// The place after the head of a /dev/kmsg record: `6,339,5140900,-;`.
  private static func afterRecordHead(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Int? {
    guard isDigit(bytes[start]) else { return nil }
    var commas = 0
    var position = start
    while position < end, position - start < 80 {
      switch bytes[position] {
      case UInt8(ascii: ";"): return commas >= 2 ? position + 1 : nil
      case UInt8(ascii: ","): commas += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
      case _ where commas >= 3 && bytes[position] > 0x20: break
      default: return nil
      }
      position += 1
    }
    return nil
  }
}

extension LogLine {
  /// Whether a string of the self-test may begin in the line.
  func mayMatter(_ bytes: borrowing Span<UInt8>) -> Bool {
    var position = start
    while position + 1 < end {
      let next = bytes[position + 1]
      switch bytes[position] {
      case UInt8(ascii: "C") where next == UInt8(ascii: "P"): return true
      case UInt8(ascii: "4") where next == UInt8(ascii: "k"): return true
      case UInt8(ascii: "N") where next == UInt8(ascii: "O"): return true
      case UInt8(ascii: "l") where next == UInt8(ascii: "e") && at(bytes, position + 2, "v"):
        return true
      case UInt8(ascii: "L") where next == UInt8(ascii: "i") && at(bytes, position + 2, "n"):
        return true
      case UInt8(ascii: "t") where next == UInt8(ascii: "k") || next == UInt8(ascii: "e"):
        if next == UInt8(ascii: "k") || at(bytes, position + 2, "d") { return true }
        position += 1
      case UInt8(ascii: "B") where next == UInt8(ascii: "o") && at(bytes, position + 2, "o"):
        return true
      case UInt8(ascii: "o") where position == start && next == UInt8(ascii: "k"): return true
      default: position += 1
      }
    }
    return endsInAddress(bytes)
  }

  private func at(
    _ bytes: borrowing Span<UInt8>, _ position: Int, _ scalar: Unicode.Scalar
  ) -> Bool {
    position < end && bytes[position] == UInt8(ascii: scalar)
  }

  /// Whether the last word may be the address of `%lx level %d but not PSE`, cut by a wrap.
  private func endsInAddress(_ bytes: borrowing Span<UInt8>) -> Bool {
    var position = end
    while position > start, bytes[position - 1] <= 0x20 { position -= 1 }
    if position - start >= 2, bytes[position - 1] == 0xa0, bytes[position - 2] == 0xc2 {
      position -= 2
    }
    guard position - start >= 8 else { return false }
    for index in position - 8..<position where !isHexDigit(bytes[index]) { return false }
    return true
  }

  /// Appends the line's tokens.
  func tokenize(_ bytes: borrowing Span<UInt8>, line: Int, into tokens: inout [LogToken]) {
    var position = start
    var isFirst = !isRest
    while true {
      position = Self.skipBlanks(bytes, position, end)
      guard position < end else { return }
      let begin = position
      while position < end, isWordByte(bytes[position]),
        Self.blankLength(bytes, position, end) == 0
      {
        position += 1
      }
      if position == begin { position += 1 }
      tokens.append(
        LogToken(
          word: LogToken.classify(bytes, begin, position), start: begin, end: position,
          line: line, isFirst: isFirst))
      isFirst = false
    }
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

private func isWordByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...0xff:
    return true
  default: return false
  }
}
