internal import Glibc

extension StringProtocol {
  /// Whether `text` occurs, byte for byte.
  package func mentions(_ text: String) -> Bool { place(of: text) != nil }

  /// Where `text` occurs first, byte for byte.
  ///
  /// A log has thousands of lines: the standard library's search goes by characters, at a hundredth
  /// of the speed.
  package func place(of text: String) -> Range<String.Index>? {
    let wanted = Array(text.utf8)
    guard let first = wanted.first else { return startIndex..<startIndex }
    let offset = utf8.withContiguousStorageIfAvailable { mine -> Int? in
      guard let start = mine.baseAddress, mine.count >= wanted.count else { return nil }
      let starts = mine.count - wanted.count + 1
      var at = 0
      while at < starts, let found = unsafe memchr(start + at, Int32(first), starts - at) {
        at = unsafe UnsafeRawPointer(found) - UnsafeRawPointer(start)
        if unsafe memcmp(start + at, wanted, wanted.count) == 0 { return at }
        at += 1
      }
      return nil
    }
    guard let offset else { return firstRange(of: text) }
    return offset.map { offset in
      let start = utf8.index(utf8.startIndex, offsetBy: offset)
      return start..<utf8.index(start, offsetBy: text.utf8.count)
    }
  }
}
