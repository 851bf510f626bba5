/// Strings of which a line of a log must hold one to matter: looked for all at once.
struct ByteMarks: Sendable {
  /// By their first byte.
  private let marks: [[[UInt8]]]
  /// Whether some mark begins with two bytes, the second one times 256.
  private let pairs: [Bool]

  /// - Parameter texts: each has two bytes or more.
  init(_ texts: some Sequence<String>) {
    var marks = [[[UInt8]]](repeating: [], count: 256)
    var pairs = [Bool](repeating: false, count: 1 << 16)
    for mark in texts.map({ Array($0.utf8) }) {
      marks[Int(mark[0])].append(mark)
      pairs[Int(mark[0]) | Int(mark[1]) << 8] = true
    }
    self.marks = marks
    self.pairs = pairs
  }

  /// Whether one of them lies between two places.
  func occur(in bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    guard start < end else { return false }
    var first = Int(bytes[start])
    for position in (start + 1)..<end {
      let second = Int(bytes[position])
      if pairs[first | second << 8] {
        for mark in marks[first] where LogLine.has(bytes, position - 1, end, mark) { return true }
      }
      first = second
    }
    return false
  }
}
