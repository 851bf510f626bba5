/// The columns of some lines before: most lines repeat those of one of them.
struct ColumnMemory {
  private var known: [(place: Range<Int>, columns: KernelText.Columns)] = []
  private var next = 0
  private static let most = 8
  let grammar: KernelText.Grammar

  init(_ grammar: KernelText.Grammar) { self.grammar = grammar }

  /// The columns at `place`; nil where they are none.
  mutating func columns(_ bytes: Span<UInt8>, at place: Range<Int>) -> KernelText.Columns? {
    for entry in known where Self.areEqual(bytes, entry.place, place) { return entry.columns }
    guard let columns = KernelText.Columns(bytes, place, grammar) else { return nil }
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
  /// Understands what stands after the size and one blank; nil where it is none of a dump's.
  fileprivate init?(_ bytes: Span<UInt8>, _ range: Range<Int>, _ grammar: KernelText.Grammar) {
    self.init()
    var cursor = KernelText.Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
    var said: [String] = []
    guard !grammar.namesLevelFirst else {
      guard takeLevelFirst(&cursor, grammar) else { return nil }
      return
    }
    while true {
      cursor.skipBlanks()
      let wordStart = cursor.at
      guard let word = cursor.word() else { return nil }
      if let index = grammar.levelNames.firstIndex(of: word) {
        level = index + 1
        width = wordStart - range.lowerBound
        guard !isBlank else { return }
        flags = grammar.flags(said, level: level)
        access = grammar.access(flags, level: level)
        return
      }
      guard grammar.isWord(word) else { return nil }
      if grammar.olderWords.contains(word) { hasOlderWord = true }
      said.append(word)
      isBlank = false
    }
  }

  /// The level's name, then words up to the end of the line.
  ///
  /// In 2015 arm64's lines named no level; each has a type of memory. A block of any level is taken
  /// for one of the lowest that has blocks.
  private mutating func takeLevelFirst(
    _ cursor: inout KernelText.Cursor, _ grammar: KernelText.Grammar
  ) -> Bool {
    var said: [String] = []
    cursor.skipBlanks()
    let start = cursor.at
    var isNamed = false
    if let name = cursor.word(), let index = grammar.levelNames.firstIndex(of: name) {
      isNamed = true
      level = index + 1
      cursor.skipBlanks()
    } else {
      cursor.at = start
    }
    while cursor.current != nil {
      let at = cursor.at
      guard let word = cursor.word(), grammar.isWord(word) else { return false }
      if grammar.olderWords.contains(word) { hasOlderWord = true }
      if word.contains("/") { width = at - start }
      if !isNamed, word == "BLK" { level = 2 }
      said.append(word)
      isBlank = false
      cursor.skipBlanks()
    }
    guard isNamed || width > 0 else { return false }
    guard !isBlank else { return true }
    flags = grammar.flags(said, level: level)
    access = grammar.access(flags, level: level)
    return true
  }
}
