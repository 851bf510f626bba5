/// A text dump of page tables, as debugfs and printk write it (x86).
///
/// Reads both column widths, every marker name, `(null)`, printk stamps and mail quotes.
/// Source: arch/x86/mm/dump_pagetables.c, 2.6.26 to 6.12.
package struct KernelText: Sendable {
  /// A marker line, `---[ NAME ]---`, and the index of the run that follows it.
  package struct Marker: Sendable, Equatable {
    package let name: String
    package let run: Int
    package let line: Int
  }

  package let space: AddressSpace
  package let markers: [Marker]
  /// For each run the line it was read from, counted from 1.
  package let lines: [Int]
  /// Whether the text is an excerpt: quoted, elided, or not from one end to the other.
  package let elided: Bool

  /// Whether `bytes` look like a text dump: no binary, and a mapping line in it.
  package static func matches(_ bytes: Span<UInt8>) -> Bool {
    for index in 0..<min(bytes.count, 4096) where bytes[index] == 0 { return false }
    var scanner = LineScanner()
    while let range = scanner.next(in: bytes) {
      if case .mapping? = Line(bytes, range) { return true }
    }
    return false
  }

  /// - Parameter mode: overrides the mode that the text itself tells.
  package static func parse(_ bytes: Span<UInt8>, mode forced: PagingMode? = nil) -> KernelText {
    var parser = Parser()
    var scanner = LineScanner()
    while let range = scanner.next(in: bytes) {
      parser.lineNumber += 1
      parser.take(Line(bytes, range))
    }
    return parser.finish(forced)
  }

  /// One line, understood.
  enum Line: Equatable {
    case mapping(start: UInt64, end: UInt64, size: UInt64?, flags: UInt64, level: Int, blank: Bool)
    case marker(String)
    case skipped
    case elision
    /// Starts as a mapping and does not go on as one.
    case broken
  }

  private struct Parser {
    var lineNumber = 0
    var runs: [Run] = []
    var lines: [Int] = []
    var markers: [Marker] = []
    var anomalies: [Anomaly] = []
    var elided = false
    var elidedHere = false
    var fiveLevel = false
    var anomaliesLeftOut = 0

    mutating func note(_ anomaly: Anomaly) {
      if anomalies.count < 1000 { anomalies.append(anomaly) } else { anomaliesLeftOut += 1 }
    }

    mutating func take(_ line: Line?) {
      switch line {
      case nil: break
      case .marker(let name):
        markers.append(Marker(name: name, run: runs.count, line: lineNumber))
      case .skipped: elidedHere = true
      case .elision:
        elided = true
        elidedHere = true
      case .broken:
        note(Anomaly(.unreadableLine, address: runs.last?.end ?? 0, line: lineNumber))
        elidedHere = true
      case .mapping(let start, let end, let size, let flags, let level, let blank):
        let last = end &- 1
        if let size, size != end &- start {
          note(
            Anomaly(
              .sizeMismatch(printed: size), address: start, size: end &- start, line: lineNumber))
        }
        guard end == 0 || start < end else {
          note(Anomaly(.gap, address: start, line: lineNumber))
          return
        }
        if let previous = runs.last {
          if start <= previous.last {
            note(Anomaly(.gap, address: start, size: previous.end &- start, line: lineNumber))
            return
          }
          // The non-canonical gap and the guard hole are skipped by the dumper itself.
          let hole = previous.end
          let dumperSkips = hole <= 0x0100_0000_0000_0000 && start >= 0xff00_0000_0000_0000
          if start != hole, !elidedHere, !dumperSkips {
            note(Anomaly(.gap, address: hole, size: start &- hole, line: lineNumber))
          }
        }
        elidedHere = false
        if level == 4 { fiveLevel = true }
        runs.append(
          Run(
            start: start, last: last, kind: blank ? .hole : .leaf, level: level, flags: flags,
            effective: flags & PagingMode.x86_64.inherited))
        lines.append(lineNumber)
      }
    }

    mutating func finish(_ forced: PagingMode?) -> KernelText {
      let mode = forced ?? (fiveLevel ? .x86_64FiveLevel : .x86_64)
      for index in runs.indices where runs[index].level == 5 {
        runs[index].level = UInt8(truncatingIfNeeded: mode.levels.count)
      }
      if let first = runs.first, first.start != 0 {
        note(Anomaly(.truncated, address: 0, size: first.start, line: lines.first))
      }
      if let last = runs.last, last.end != 0 {
        note(Anomaly(.truncated, address: last.end, size: 0 &- last.end, line: lineNumber))
      } else if elided {
        note(Anomaly(.truncated, address: 0, line: lineNumber))
      }
      let printed = mode.flags.filter(\.printed).reduce(UInt64(0)) { $0 | $1.mask }
      var space = AddressSpace(
        mode: mode, runs: runs, knownFlags: (printed | mode.present) & ~(1 << 12),
        hasPhysical: false, anomalies: anomalies)
      space.anomaliesLeftOut = anomaliesLeftOut
      return KernelText(space: space, markers: markers, lines: lines, elided: elided)
    }
  }
}

/// Splits bytes into lines, without the line end.
struct LineScanner {
  private var position = 0

  mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
    guard position < bytes.count else { return nil }
    let start = position
    var end = start
    while end < bytes.count, bytes[end] != 10 { end += 1 }
    position = end + 1
    if end > start, bytes[end - 1] == 13 { end -= 1 }
    return start..<end
  }
}

extension KernelText.Line {
  /// Understands one line; nil for a line that is none of a dump's.
  init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var cursor = Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
    cursor.skipPrefixes()
    if cursor.starts(with: "---[") {
      guard let name = cursor.markerName() else { return nil }
      self = .marker(name)
      return
    }
    if cursor.starts(with: "...") || cursor.starts(with: "[...]") {
      self = cursor.contains("skipped") ? .skipped : .elision
      return
    }
    guard cursor.take("0x"), let start = cursor.address() else { return nil }
    guard cursor.take("-0x"), let end = cursor.address() else { return nil }
    cursor.skipBlanks()
    guard let size = cursor.size() else {
      self = .broken
      return
    }
    var flags: UInt64 = 0
    var blank = true
    var notExecutable = false
    while true {
      cursor.skipBlanks()
      guard let word = cursor.word() else {
        self = .broken
        return
      }
      switch word {
      case "USR": flags |= 1 << 2
      case "RW": flags |= 1 << 1
      case "ro": break
      case "PWT": flags |= 1 << 3
      case "PCD": flags |= 1 << 4
      case "PSE": flags |= 1 << 7
      case "PAT": flags |= 1 << 12
      case "pat": flags |= 1 << 12
      case "GLB": flags |= 1 << 8
      case "NX": notExecutable = true
      case "x": break
      case "pte", "pmd", "pud", "p4d", "pgd":
        let level = ["pte": 1, "pmd": 2, "pud": 3, "p4d": 4, "pgd": 5][word] ?? 5
        // PAT is bit 7 in a pte, and bit 12 above.
        if level == 1, flags & (1 << 12) != 0 { flags = flags & ~(1 << 12) | (1 << 7) }
        if notExecutable { flags |= 1 << 63 }
        if !blank { flags |= 1 }
        self = .mapping(
          start: start, end: end, size: size == .max ? nil : size, flags: flags, level: level,
          blank: blank)
        return
      default:
        self = .broken
        return
      }
      blank = false
    }
  }

  private struct Cursor: ~Escapable {
    let bytes: Span<UInt8>
    var at: Int
    let end: Int

    @_lifetime(copy bytes)
    init(bytes: Span<UInt8>, at: Int, end: Int) {
      self.bytes = bytes
      self.at = at
      self.end = end
    }

    var current: UInt8? { at < end ? bytes[at] : nil }

    @_lifetime(self: copy self)
    mutating func skipBlanks() {
      while let byte = current, byte == 32 || byte == 9 { at += 1 }
    }

    /// Mail quotes, log levels and printk's stamps.
    @_lifetime(self: copy self)
    mutating func skipPrefixes() {
      while true {
        skipBlanks()
        guard let byte = current else { return }
        if byte == 0x3e {  // >
          at += 1
        } else if byte == 0x3c {  // <6>
          var next = at + 1
          while next < end, bytes[next] != 0x3e { next += 1 }
          guard next < end, next - at <= 4 else { return }
          at = next + 1
        } else if byte == 0x5b {  // [ 12.345678] or [ T1]
          var next = at + 1
          while next < end, bytes[next] != 0x5d { next += 1 }
          guard next < end, next - at <= 24, next + 1 < end, bytes[next + 1] == 32 else { return }
          at = next + 1
        } else {
          return
        }
      }
    }

    func starts(with text: StaticString) -> Bool {
      text.withUTF8Buffer { wanted in
        guard at + wanted.count <= end else { return false }
        for index in 0..<wanted.count where unsafe bytes[at + index] != wanted[index] {
          return false
        }
        return true
      }
    }

    func contains(_ text: StaticString) -> Bool {
      var probe = at
      while probe < end {
        if Cursor(bytes: bytes, at: probe, end: end).starts(with: text) { return true }
        probe += 1
      }
      return false
    }

    @_lifetime(self: copy self)
    mutating func take(_ text: StaticString) -> Bool {
      guard starts(with: text) else { return false }
      at += text.utf8CodeUnitCount
      return true
    }

    /// 8 or 16 digits, or what 2.6.29 and 2.6.30 printed for zero: `(null)`.
    @_lifetime(self: copy self)
    mutating func address() -> UInt64? {
      while current == 32 { at += 1 }
      if take("(null)") { return 0 }
      var value: UInt64 = 0
      var digits = 0
      while let digit = hexDigit(current) {
        value = value << 4 | UInt64(digit)
        digits += 1
        at += 1
      }
      return digits == 16 || digits == 8 ? value : nil
    }

    private func hexDigit(_ byte: UInt8?) -> UInt8? {
      switch byte {
      case .some(0x30...0x39): (byte ?? 0) - 0x30
      case .some(0x61...0x66): (byte ?? 0) - 0x61 + 10
      default: nil
      }
    }

    /// A size in bytes; `UInt64.max` stands for a size that 64 bits cannot hold.
    @_lifetime(self: copy self)
    mutating func size() -> UInt64? {
      var value: UInt64 = 0
      var digits = 0
      while let byte = current, byte >= 0x30, byte <= 0x39 {
        let (product, over) = value.multipliedReportingOverflow(by: 10)
        guard !over, digits < 20 else { return nil }
        value = product &+ UInt64(byte - 0x30)
        digits += 1
        at += 1
      }
      guard digits > 0, let unit = current else { return nil }
      let units: [UInt8] = Array("BKMGTPE".utf8)
      guard let power = units.firstIndex(of: unit) else { return nil }
      at += 1
      let shift = UInt64(power) * 10
      return (value << shift) >> shift == value ? value << shift : .max
    }

    @_lifetime(self: copy self)
    mutating func word() -> String? {
      var text = ""
      while let byte = current, byte != 32, byte != 9, text.utf8.count < 5 {
        text.unicodeScalars.append(Unicode.Scalar(byte))
        at += 1
      }
      return text.isEmpty ? nil : text
    }

    @_lifetime(self: copy self)
    mutating func markerName() -> String? {
      at += 4
      skipBlanks()
      var text = ""
      while let byte = current, byte != 0x5d, text.utf8.count < 80 {
        text.unicodeScalars.append(Unicode.Scalar(byte))
        at += 1
      }
      guard current == 0x5d else { return nil }
      while text.last == " " { text.removeLast() }
      return text
    }
  }
}
