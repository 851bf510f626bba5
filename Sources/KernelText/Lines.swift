internal import PageTables

extension KernelText.Mapping {
  /// Each line has one: what stands between its addresses, with or without `0x`.
  static let marks = ByteMarks(["-0x", "-fff", "-000"])

  /// Understands a line of a mapping or a hole; nil for any other.
  init?(_ bytes: Span<UInt8>, _ range: Range<Int>, _ memory: inout ColumnMemory) {
    var cursor = KernelText.Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
    cursor.skipPrefixes()
    let isBare = memory.grammar.mayLackHoles && !cursor.starts(with: "0x")
    guard let (start, end) = isBare ? cursor.bareAddresses() : cursor.addresses() else {
      return nil
    }
    cursor.skipBlanks()
    // One blank follows the unit; the columns begin behind it.
    guard let size = cursor.size(), cursor.current == 32 || cursor.current == 9,
      let columns = memory.columns(bytes, at: (cursor.at + 1)..<range.upperBound)
    else { return nil }
    self.init(
      start: start.value, end: end.value, digits: end.digits, isNull: start.isNull,
      isBare: isBare, size: size == .max ? nil : size, columns: columns)
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
