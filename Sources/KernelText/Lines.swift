internal import PageTables

/// Splits bytes into lines, without the line end.
struct LineScanner {
  /// Where the next line starts.
  var position = 0

  mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
    guard position < bytes.count else { return nil }
    let start = position
    var end = start
    while end + 8 <= bytes.count {
      // A line end becomes a byte of zeros, of which the borrow sets the highest bit.
      let ends = bytes.word(at: end) ^ (10 * EightBytes.ones)
      let found = (ends &- EightBytes.ones) & ~ends & EightBytes.highBits
      if found != 0 {
        end += found.trailingZeroBitCount >> 3
        break
      }
      end += 8
    }
    while end < bytes.count, bytes[end] != 10 { end += 1 }
    position = end + 1
    if end > start, bytes[end - 1] == 13 { end -= 1 }
    return start..<end
  }
}

/// The columns of some lines before: most lines repeat those of one of them.
struct ColumnMemory {
  private var known: [(place: Range<Int>, columns: KernelText.Columns)] = []
  private var next = 0
  private static let most = 8

  /// The columns at `place`; nil where they are none.
  mutating func columns(_ bytes: Span<UInt8>, at place: Range<Int>) -> KernelText.Columns? {
    for entry in known where Self.areEqual(bytes, entry.place, place) { return entry.columns }
    guard let columns = KernelText.Columns(bytes, place) else { return nil }
    if known.count < Self.most {
      known.append((place, columns))
    } else {
      known[next] = (place, columns)
      next = (next + 1) % Self.most
    }
    return columns
  }

  /// The columns from `start` to the end of the line, where a line before had the same.
  ///
  /// - Returns: the columns, and where the next line starts.
  func columns(
    _ bytes: Span<UInt8>, from start: Int
  ) -> (columns: KernelText.Columns, end: Int)? {
    for entry in known {
      let end = start + entry.place.count
      if end < bytes.count, bytes[end] == 10, Self.areEqual(bytes, entry.place, start..<end) {
        return (entry.columns, end + 1)
      }
    }
    return nil
  }

  private static func areEqual(_ bytes: Span<UInt8>, _ one: Range<Int>, _ other: Range<Int>) -> Bool
  {
    guard one.count == other.count else { return false }
    // The ends differ more often than the starts.
    if one.count >= 8, bytes.word(at: one.upperBound - 8) != bytes.word(at: other.upperBound - 8) {
      return false
    }
    var offset = 0
    while offset + 8 <= one.count {
      guard bytes.word(at: one.lowerBound + offset) == bytes.word(at: other.lowerBound + offset)
      else { return false }
      offset += 8
    }
    while offset < one.count {
      guard bytes[one.lowerBound + offset] == bytes[other.lowerBound + offset] else { return false }
      offset += 1
    }
    return true
  }
}

extension KernelText.Columns {
  /// Understands what stands behind the size and one blank; nil where it is none of a dump's.
  fileprivate init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    self.init()
    var cursor = KernelText.Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
    var notExecutable = false
    while true {
      cursor.skipBlanks()
      let wordStart = cursor.at
      guard let word = cursor.word() else { return nil }
      switch word {
      case "USR": flags |= 1 << 2
      case "RW": flags |= 1 << 1
      case "ro": break
      case "PWT": flags |= 1 << 3
      case "PCD": flags |= 1 << 4
      case "PSE": flags |= 1 << 7
      case "PAT": flags |= 1 << 12
      case "pat":
        flags |= 1 << 12
        hasLowerPAT = true
      case "GLB": flags |= 1 << 8
      case "NX": notExecutable = true
      case "x": break
      case "pte", "pmd", "pud", "p4d", "pgd":
        level = ["pte": 1, "pmd": 2, "pud": 3, "p4d": 4, "pgd": 5][word] ?? 5
        // PAT is bit 7 in a pte, and bit 12 above.
        if level == 1, flags & (1 << 12) != 0 { flags = flags & ~(1 << 12) | (1 << 7) }
        if notExecutable { flags |= 1 << 63 }
        if !isBlank { flags |= 1 }
        width = wordStart - range.lowerBound
        return
      default: return nil
      }
      isBlank = false
    }
  }
}

extension KernelText.Mapping {
  /// Understands a line of a mapping or a hole; nil for any other.
  init?(_ bytes: Span<UInt8>, _ range: Range<Int>, _ memory: inout ColumnMemory) {
    var cursor = KernelText.Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
    cursor.skipPrefixes()
    guard let (start, end) = cursor.addresses() else { return nil }
    cursor.skipBlanks()
    // One blank follows the unit; the columns begin behind it.
    guard let size = cursor.size(), cursor.current == 32 || cursor.current == 9,
      let columns = memory.columns(bytes, at: (cursor.at + 1)..<range.upperBound)
    else { return nil }
    self.init(
      start: start.value, end: end.value, digits: end.digits, isNull: start.isNull,
      size: size == .max ? nil : size, columns: columns)
  }
}

extension KernelText.Mapping {
  /// A line as most are: 16 digits each, nothing before them, and columns that a line before had.
  ///
  /// It is understood without a search for its end.
  ///
  /// - Returns: the mapping, and where the next line starts; nil for a line that looks otherwise.
  static func alike(
    _ bytes: Span<UInt8>, at start: Int, _ memory: ColumnMemory
  ) -> (mapping: KernelText.Mapping, end: Int)? {
    // `0x0123456789abcdef-0x0123456789abcdef`, blanks, a size and a blank.
    guard start + 48 < bytes.count, bytes[start] == 0x30, bytes[start + 1] == 0x78,
      bytes[start + 18] == 0x2d, bytes[start + 19] == 0x30, bytes[start + 20] == 0x78,
      let first = EightBytes.sixteenDigits(bytes, at: start + 2),
      let second = EightBytes.sixteenDigits(bytes, at: start + 21)
    else { return nil }
    var cursor = KernelText.Cursor(bytes: bytes, at: start + 37, end: bytes.count)
    cursor.skipBlanks()
    guard let size = cursor.size(), cursor.current == 32 || cursor.current == 9,
      let (columns, end) = memory.columns(bytes, from: cursor.at + 1)
    else { return nil }
    let mapping = KernelText.Mapping(
      start: first, end: second, digits: 16, size: size == .max ? nil : size, columns: columns)
    return (mapping, end)
  }
}

extension KernelText.Line {
  /// Understands a line that is no mapping; nil for one that is none of a dump's.
  init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var cursor = KernelText.Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
    cursor.skipPrefixes()
    if cursor.starts(with: "---[") {
      guard let name = cursor.markerName() else { return nil }
      self = .marker(name)
    } else if cursor.starts(with: "...") || cursor.starts(with: "[...]") {
      self = cursor.contains("skipped") ? .skipped(cursor.skippedCount()) : .elision
    } else if cursor.addresses() != nil {
      self = .broken
    } else {
      return nil
    }
  }
}

extension KernelText {
  fileprivate struct Cursor: ~Escapable {
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

    /// What each line of a mapping begins with.
    @_lifetime(self: copy self)
    mutating func addresses() -> (start: Address, end: Address)? {
      guard take("0x"), let start = address(), take("-0x"), let end = address() else { return nil }
      return (start: start, end: end)
    }

    typealias Address = (value: UInt64, digits: Int, isNull: Bool)

    /// 8 or 16 digits, or what 2.6.29 and 2.6.30 printed for zero: `(null)`.
    @_lifetime(self: copy self)
    private mutating func address() -> Address? {
      while current == 32 { at += 1 }
      if take("(null)") { return (value: 0, digits: 16, isNull: true) }
      var value: UInt64 = 0
      var digits = 0
      while let digit = hexDigit(current) {
        value = value << 4 | UInt64(digit)
        digits += 1
        at += 1
      }
      return digits == 16 || digits == 8 ? (value: value, digits: digits, isNull: false) : nil
    }

    /// The number of `... 12 entries skipped ...`; zero where there is none.
    func skippedCount() -> Int {
      var cursor = Cursor(bytes: bytes, at: at, end: end)
      while cursor.current == 0x2e { cursor.at += 1 }
      cursor.skipBlanks()
      var count = 0
      while let byte = cursor.current, byte >= 0x30, byte <= 0x39, count < 1 << 40 {
        count = count * 10 + Int(byte - 0x30)
        cursor.at += 1
      }
      return count
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
      let power: Int
      switch unit {
      case UInt8(ascii: "B"): power = 0
      case UInt8(ascii: "K"): power = 1
      case UInt8(ascii: "M"): power = 2
      case UInt8(ascii: "G"): power = 3
      case UInt8(ascii: "T"): power = 4
      case UInt8(ascii: "P"): power = 5
      case UInt8(ascii: "E"): power = 6
      default: return nil
      }
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

extension Span<UInt8> {
  /// Eight bytes, the first one lowest.
  @inline(__always) fileprivate func word(at offset: Int) -> UInt64 {
    unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}

/// Eight characters at once, each in a byte of a word.
private enum EightBytes {
  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let highBits: UInt64 = 0x80 * ones

  /// The number that sixteen lower-case hexadecimal digits at `start` stand for; nil where one is
  /// none.
  @inline(__always) static func sixteenDigits(_ bytes: Span<UInt8>, at start: Int) -> UInt64? {
    guard let high = hexadecimal(bytes.word(at: start)),
      let low = hexadecimal(bytes.word(at: start + 8))
    else { return nil }
    return UInt64(high) << 32 | UInt64(low)
  }

  /// The number that eight lower-case hexadecimal digits stand for; nil where one is none.
  @inline(__always) static func hexadecimal(_ text: UInt64) -> UInt32? {
    // Less than 128 each, a sum reaches the highest bit of its byte where a limit is passed.
    let decimal = text ^ (0x30 * ones)
    let letter = text ^ (0x60 * ones)
    let isNoDecimal = decimal &+ (0x76 * ones)
    let isNoLetter = (letter &+ (0x79 * ones)) | ~(letter &+ (0x7f * ones))
    guard text & highBits == 0, isNoDecimal & isNoLetter & highBits == 0 else { return nil }
    let digits = (text & (0x0f * ones)) &+ 9 &* (text >> 6 & ones)
    let pairs = (digits << 4 | digits >> 8) & 0x00ff_00ff_00ff_00ff
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff
    return UInt32(truncatingIfNeeded: fours | fours >> 16).byteSwapped
  }
}
