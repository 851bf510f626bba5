/// Strings that are looked for all at once.
///
/// Bytes are looked at in pairs: of five that follow each other in a mark, its window, two pairs
/// lie at even places, or two lie at odd ones. Each mark is of one of eight groups. Where both of
/// two pairs that follow each other are of one group, a mark of it may be there.
package struct ByteMarks: Sendable {
  /// For each pair of bytes, the second one times 256, the groups of whose windows it may be the
  /// first, a bit each.
  private let first: [UInt8]
  /// The same of the pair that follows; of all pairs where a mark has no bytes there.
  private let second: [UInt8]
  /// The place in `marks` of each first pair's; 0 is that of all other pairs.
  private let list: [UInt16]
  /// The marks with a first pair in their window, and where in them it lies.
  private let marks: [[(mark: [UInt8], place: Int)]]

  /// - Parameter texts: each has three bytes or more.
  package init(_ texts: some Sequence<String>) {
    var first = [UInt8](repeating: 0, count: 1 << 16)
    var second = first
    var list = [UInt16](repeating: 0, count: 1 << 16)
    var marks: [[(mark: [UInt8], place: Int)]] = [[]]
    var groupsOfAny: UInt8 = 0
    for (index, mark) in Set(texts).sorted().map({ Array($0.utf8) }).enumerated() {
      // The short ones, which say little of the second pair, keep to themselves.
      let group: UInt8 = mark.count < 4 ? 1 : mark.count < 5 ? 2 : 4 << (index % 6)
      let window = Self.window(of: mark)
      for place in window...(window + 1) {
        let pair = Int(mark[place]) | Int(mark[place + 1]) << 8
        if list[pair] == 0 {
          list[pair] = UInt16(marks.count)
          marks.append([])
        }
        marks[Int(list[pair])].append((mark, place))
        first[pair] |= group
        switch mark.count - place {
        case 2: groupsOfAny |= group
        case 3: for byte in 0..<256 { second[Int(mark[place + 2]) | byte << 8] |= group }
        default: second[Int(mark[place + 2]) | Int(mark[place + 3]) << 8] |= group
        }
      }
    }
    for pair in second.indices { second[pair] |= groupsOfAny }
    self.first = first
    self.second = second
    self.list = list
    self.marks = marks
  }

  /// The bytes of which most text is made, the most frequent first.
  private static let frequent = Array(" e0tainosr1lhd2cu3mp4.:gfb5689_7wyvkx-=/[]".utf8)

  /// Where the five bytes of a mark begin that are the least likely to be met.
  private static func window(of mark: [UInt8]) -> Int {
    func frequency(_ place: Int) -> Int {
      guard place < mark.count else { return frequent.count }
      return frequent.firstIndex(of: mark[place]).map { frequent.count - $0 } ?? 1
    }
    func cost(_ start: Int) -> Int {
      let bytes = (start...(start + 4)).map(frequency)
      return bytes[1] * bytes[2] * bytes[3] * (bytes[0] + bytes[4])
    }
    return (0...(mark.count - min(5, mark.count))).min { cost($0) < cost($1) } ?? 0
  }

  /// A place within the first of them that lies between two places; nil where none does.
  package func place(in bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Int? {
    precondition(start >= 0 && end <= bytes.count)
    return unsafe bytes.withUnsafeBytes { bytes in
      var at = start
      while true {
        at = unsafe blockWithPairs(bytes, from: at, to: end)
        for place in stride(from: at, to: min(at + 8, end - 1), by: 2)
        where unsafe hasMark(bytes, place, start, end) { return place }
        at += 8
        if at >= end { return nil }
      }
    }
  }

  /// The first eight bytes in which two pairs of one group begin; else those at the end, where too
  /// few are left to tell.
  private func blockWithPairs(
    _ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int
  ) -> Int {
    unsafe first.withUnsafeBufferPointer { first in
      unsafe second.withUnsafeBufferPointer { second in
        var at = start
        while at &+ 10 <= end {
          let word = unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
          let last = unsafe bytes.loadUnaligned(fromByteOffset: at &+ 8, as: UInt16.self)
          let pairs = (
            Int(word & 0xffff), Int(word >> 16 & 0xffff), Int(word >> 32 & 0xffff),
            Int(word >> 48), Int(last)
          )
          let found =
            unsafe first[pairs.0] & second[pairs.1] | first[pairs.1] & second[pairs.2]
            | first[pairs.2] & second[pairs.3] | first[pairs.3] & second[pairs.4]
          if found != 0 { return at }
          at &+= 8
        }
        return at
      }
    }
  }

  /// Whether a mark has a first pair of its window at a place.
  private func hasMark(
    _ bytes: UnsafeRawBufferPointer, _ place: Int, _ start: Int, _ end: Int
  ) -> Bool {
    let pair = unsafe Int(bytes[place]) | Int(bytes[place + 1]) << 8
    for (mark, offset) in marks[Int(list[pair])] {
      let first = place - offset
      guard first >= start, first + mark.count <= end else { continue }
      if mark.indices.allSatisfy({ unsafe bytes[first + $0] == mark[$0] }) { return true }
    }
    return false
  }
}
