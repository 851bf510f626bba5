/// What stands before the kernel's words in a line: quoting, stamps, the names of files and hosts.
struct LogPrefix {
  /// Where the words begin.
  private(set) var start: Int
  /// Where the line begins after its quoting.
  private(set) var quoteEnd: Int
  /// Whether it shows that a record begins here.
  private(set) var isStamped = false
  private(set) var caller: String?
  /// Whether more blanks stand there than one after each mark of quoting.
  private(set) var isIndented = false

  init(_ bytes: borrowing Span<UInt8>, from first: Int) {
    start = first
    quoteEnd = first
    let end = bytes.count
    skipQuoting(bytes)
    quoteEnd = start
    isIndented = start < end && LogLine.blankLength(bytes, start, end) > 0
    for _ in 0..<16 {
      let before = start
      let line = LogLine(bytes, start, end)
      isStamped = isStamped || line.isStamped
      start = line.start
      if let next =
        Self.afterFileName(bytes, start) ?? Self.afterFacility(bytes, start)
        ?? Self.afterTag(bytes, start) ?? Self.afterMonotonicStamp(bytes, start)
      {
        start = next
        isStamped = true
      }
      if start == before { break }
    }
    start = LogLine.skipBlanks(bytes, start, end)
    caller = Self.caller(bytes, first, start)
  }

  /// `> > `, with a space after each mark or not.
  private mutating func skipQuoting(_ bytes: borrowing Span<UInt8>) {
    while start < bytes.count {
      var next = start
      while next < bytes.count, next - start < 3, bytes[next] == 0x20 { next += 1 }
      guard next < bytes.count, bytes[next] == UInt8(ascii: ">") else { return }
      start = next + 1
      if start < bytes.count, bytes[start] == 0x20 { start += 1 }
    }
  }

  // MARK: - Prefixes

  /// `kernel.log:`, `logs/boot.txt:12:` and `12:`, as grep writes them.
  ///
  /// The kernel's own file names end in `.c` or `.h` and are kept: `mm/memory.c:116: bad pmd`.
  private static func afterFileName(_ bytes: borrowing Span<UInt8>, _ start: Int) -> Int? {
    var position = start
    var isName = false
    while position < bytes.count, position - start < 200 {
      let byte = bytes[position]
      if byte == UInt8(ascii: ":") { break }
      if byte <= 0x20 || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "(") { return nil }
      if byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/") { isName = true }
      position += 1
    }
    let isNumber = isDigits(bytes, start, position)
    guard position > start, position + 1 < bytes.count, isName || isNumber else { return nil }
    let final = bytes[position - 1]
    let isSource =
      position >= start + 2 && bytes[position - 2] == UInt8(ascii: ".")
      && (final == UInt8(ascii: "c") || final == UInt8(ascii: "h"))
    // `12:34:56` is a time.
    guard !isSource, !(isNumber && LogLine.isDigit(bytes[position + 1])) else { return nil }
    return bytes[position + 1] > 0x20 ? position + 1 : nil
  }

  private static func isDigits(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    for index in start..<end where !LogLine.isDigit(bytes[index]) { return false }
    return end > start
  }

  private static let facilities: [[UInt8]] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "cron", "authpriv", "ftp",
  ].map { Array($0.utf8) }

  /// `kern  :alert : `, as `dmesg -x` writes it.
  private static func afterFacility(_ bytes: borrowing Span<UInt8>, _ start: Int) -> Int? {
    guard
      facilities.contains(where: { name in
        LogLine.has(bytes, start, bytes.count, name)
      })
    else { return nil }
    var position = start
    for _ in 0..<2 {
      let word = position
      while position < bytes.count, bytes[position] >= UInt8(ascii: "a"),
        bytes[position] <= UInt8(ascii: "z")
      {
        position += 1
      }
      guard position > word, position - word <= 10 else { return nil }
      while position < bytes.count, bytes[position] == 0x20 { position += 1 }
      guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { return nil }
      position += 1
    }
    return position
  }

  private static let tag = Array("kernel: ".utf8)

  /// `kernel: ` without a date before it.
  private static func afterTag(_ bytes: borrowing Span<UInt8>, _ start: Int) -> Int? {
    LogLine.has(bytes, start, bytes.count, tag) ? start + tag.count : nil
  }

  /// `[   12.345678 <    0.000012>]`, `[  +0.000012]`, `[Nov27 11:02]`, `[13:20:20.389]`: dmesg's
  /// other forms and what log collectors write.
  private static func afterMonotonicStamp(_ bytes: borrowing Span<UInt8>, _ start: Int) -> Int? {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "[") else { return nil }
    var position = start + 1
    var digits = 0
    var hasMark = false
    while position < bytes.count, position - start < 48, bytes[position] != UInt8(ascii: "]") {
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: ":"), UInt8(ascii: "."): hasMark = true
      case 0x20, UInt8(ascii: "+"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "-"),
        UInt8(ascii: ","):
        break
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
        // The month before the clock; a symbol's address is no stamp.
        if position - start > 3 { return nil }
      default: return nil
      }
      position += 1
    }
    guard position < bytes.count, bytes[position] == UInt8(ascii: "]"), digits >= 3, hasMark,
      bytes[start + 1] != UInt8(ascii: "<")
    else { return nil }
    return position + 1
  }

  // MARK: - Stamps and callers

  /// Where the first printk stamp lies: `[   12.345678]`.
  static func stamp(in bytes: borrowing Span<UInt8>, from start: Int) -> Int? {
    var open = start
    while open < bytes.count {
      if bytes[open] == UInt8(ascii: "["), isStamp(bytes, open) { return open }
      open += 1
    }
    return nil
  }

  private static func isStamp(_ bytes: borrowing Span<UInt8>, _ open: Int) -> Bool {
    var position = LogLine.skipBlanks(bytes, open + 1, bytes.count)
    let seconds = position
    while position < bytes.count, LogLine.isDigit(bytes[position]) { position += 1 }
    guard position > seconds, position - seconds <= 12, position < bytes.count,
      bytes[position] == UInt8(ascii: ".")
    else { return false }
    position += 1
    let fraction = position
    while position < bytes.count, LogLine.isDigit(bytes[position]) { position += 1 }
    guard position - fraction == 6, position < bytes.count else { return false }
    return bytes[position] == UInt8(ascii: "]")
  }

  /// `T123` of `[  T123]`, `C0` of `[    C0]`.
  private static func caller(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> String? {
    var found: String?
    for open in start..<max(start, end) where bytes[open] == UInt8(ascii: "[") {
      let first = LogLine.skipBlanks(bytes, open + 1, end)
      guard first < end, bytes[first] == UInt8(ascii: "T") || bytes[first] == UInt8(ascii: "C")
      else { continue }
      var position = first + 1
      while position < end, LogLine.isDigit(bytes[position]) { position += 1 }
      guard position > first + 1, position < end, bytes[position] == UInt8(ascii: "]") else {
        continue
      }
      var name: [UInt8] = []
      for index in first..<position { name.append(bytes[index]) }
      found = String(decoding: name, as: UTF8.self)
    }
    return found
  }
}

/// What mailers and web pages make of a line's bytes.
enum LogEncoding {
  private static let entities: [(name: [UInt8], byte: UInt8)] = [
    ("&gt;", 0x3e), ("&lt;", 0x3c), ("&amp;", 0x26), ("&nbsp;", 0x20), ("&quot;", 0x22),
    ("&#39;", 0x27), ("&#62;", 0x3e), ("&#60;", 0x3c), ("&#160;", 0x20),
  ].map { (name: Array($0.0.utf8), byte: $0.1) }

  /// The line's bytes without quoted-printable, HTML entities and no-break spaces, and whether it
  /// ends in a soft line break.
  static func decoded(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> (
    line: [UInt8], isSoft: Bool
  ) {
    var line: [UInt8] = []
    line.reserveCapacity(end - start)
    var isSoft = false
    var position = start
    while position < end {
      let byte = bytes[position]
      if byte == UInt8(ascii: "=") {
        if position + 1 == end {
          isSoft = true
          break
        }
        if let value = quoted(bytes, position, end) {
          line.append(value)
          position += 3
          continue
        }
      } else if byte == UInt8(ascii: "&"),
        let entity = entities.first(where: { LogLine.has(bytes, position, end, $0.name) })
      {
        line.append(entity.byte)
        position += entity.name.count
        continue
      }
      line.append(byte)
      position += 1
    }
    return (withoutNoBreakSpaces(line), isSoft)
  }

  /// The byte that `=3D` stands for, where it is one that a log has encoded.
  private static func quoted(_ bytes: borrowing Span<UInt8>, _ position: Int, _ end: Int) -> UInt8?
  {
    guard position + 2 < end else { return nil }
    func digit(_ byte: UInt8) -> UInt8? {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
      case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
      default: nil
      }
    }
    guard let high = digit(bytes[position + 1]), let low = digit(bytes[position + 2]) else {
      return nil
    }
    let value = high << 4 | low
    return [0x09, 0x20, 0x26, 0x3c, 0x3d, 0x3e, 0xa0, 0xc2].contains(value) ? value : nil
  }

  private static func withoutNoBreakSpaces(_ line: [UInt8]) -> [UInt8] {
    guard line.contains(0xc2) else { return line }
    var made: [UInt8] = []
    var position = 0
    while position < line.count {
      if line[position] == 0xc2, position + 1 < line.count, line[position + 1] == 0xa0 {
        made.append(0x20)
        position += 2
      } else {
        made.append(line[position])
        position += 1
      }
    }
    return made
  }
}
