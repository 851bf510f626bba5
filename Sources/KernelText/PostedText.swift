internal import PageTables

/// Lines of a dump as people post them: behind what `grep` or a mail program puts before them, cut
/// at some column, or in quoted-printable.
extension KernelText {
  /// The bytes with each line of a dump whole and by itself, in its place; nil where all are.
  ///
  /// Lines that were joined leave blank ones behind, so that numbers of lines stay.
  package static func wholeLines(of bytes: Span<UInt8>) -> [UInt8]? {
    var whole: [UInt8] = []
    /// What lies before is in `whole`.
    var copied = 0
    var isChanged = false
    var scanner = LineScanner()
    while let range = scanner.next(with: Posted.marks, in: bytes) {
      guard let start = Posted.start(bytes, range) else { continue }
      var line = Posted.body(bytes, start..<range.upperBound)
      var joined = 0
      while joined < Posted.mostPieces, !Posted.isWhole(line.text.span),
        let next = Posted.continuation(bytes, scanner)
      {
        if !line.isSoft { line.text.append(32) }
        line.text += next.piece.text
        line.isSoft = next.piece.isSoft
        scanner = next.scanner
        joined += 1
      }
      if joined > 0 || start != range.lowerBound { isChanged = true }
      whole.append(bytes, copied..<range.lowerBound)
      whole += line.text
      for _ in 0...joined { whole.append(10) }
      copied = min(scanner.position, bytes.count)
    }
    guard isChanged else { return nil }
    whole.append(bytes, copied..<bytes.count)
    return whole
  }

  /// What one posted line is.
  private enum Posted {
    /// Each mapping has the one, each marker the other.
    static let marks = ByteMarks(["-0x", "---[ "])
    /// The lines that one may be cut into, beside the first.
    static let mostPieces = 3

    struct Piece {
      var text: [UInt8]
      /// Whether quoted-printable's mark says that it goes on.
      var isSoft: Bool
    }

    /// Where a mapping or a marker starts in a line; nil where none does.
    static func start(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
      var at = range.lowerBound
      // Nothing that is put before a line is longer.
      let last = min(range.upperBound, range.lowerBound + 160)
      while at + 5 < last {
        if bytes[at] == 0x2d, bytes[at + 1] == 0x2d, isMarker(bytes, at..<range.upperBound) {
          return at
        }
        if bytes[at] == 0x30, bytes[at + 1] == 0x78, isMapping(bytes, at..<range.upperBound) {
          return at
        }
        at += 1
      }
      return nil
    }

    private static func isMarker(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
      let cursor = Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
      return cursor.starts(with: "---[ ")
    }

    /// Two addresses and a size.
    private static func isMapping(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
      var cursor = Cursor(bytes: bytes, at: range.lowerBound, end: range.upperBound)
      guard cursor.addresses() != nil, cursor.current == 32 || cursor.current == 9 else {
        return false
      }
      cursor.skipBlanks()
      return cursor.size() != nil
    }

    /// The bytes of a line without the mark of a soft break, and with its blanks decoded.
    static func body(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Piece {
      var piece = Piece(text: [], isSoft: false)
      var end = range.upperBound
      while end > range.lowerBound, bytes[end - 1] == 13 { end -= 1 }
      if end > range.lowerBound, bytes[end - 1] == UInt8(ascii: "=") {
        piece.isSoft = true
        end -= 1
      }
      var at = range.lowerBound
      while at < end {
        let isBlank =
          at + 2 < end && bytes[at] == 0x3d && bytes[at + 1] == 0x32
          && bytes[at + 2] == 0x30
        piece.text.append(isBlank ? 32 : bytes[at])
        at += isBlank ? 3 : 1
      }
      return piece
    }

    private static let levels = ["pte", "pmd", "pud", "p4d", "pgd"].map { Array($0.utf8) }

    /// Whether a line ends as those of the kernel do: with a level's name or a type of memory, or a
    /// marker's bracket.
    static func isWhole(_ text: Span<UInt8>) -> Bool {
      var end = text.count
      while end > 0, text[end - 1] == 32 { end -= 1 }
      guard end > 3 else { return false }
      if text[0] == 0x2d { return true }
      if levels.contains(where: { name in (0..<3).allSatisfy { text[end - 3 + $0] == name[$0] } }) {
        return true
      }
      var at = end
      while at > 0, text[at - 1] != 32 {
        at -= 1
        if text[at] == UInt8(ascii: "/") { return true }
      }
      return false
    }

    /// The next line, if it goes on with one: without quotes, and no line of its own.
    static func continuation(
      _ bytes: Span<UInt8>, _ scanner: LineScanner
    ) -> (piece: Piece, scanner: LineScanner)? {
      var scanner = scanner
      guard let range = scanner.next(in: bytes), range.count < 160, start(bytes, range) == nil
      else { return nil }
      var at = range.lowerBound
      while at < range.upperBound, bytes[at] == 0x3e || bytes[at] == 32 || bytes[at] == 9 {
        at += 1
      }
      guard at < range.upperBound, isColumns(bytes, at..<range.upperBound) else { return nil }
      // The blanks before a word are of the columns.
      let first = bytes[range.lowerBound] == 0x3e ? at : range.lowerBound
      return (body(bytes, first..<range.upperBound), scanner)
    }

    /// Whether a line has nothing but words of columns.
    private static func isColumns(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
      range.allSatisfy { index in
        let byte = bytes[index]
        return byte == 32 || byte == 13 || byte == UInt8(ascii: "=")
          || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
          || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "-")
      } && range.count < 60
    }
  }
}
