internal import Glibc

extension StringProtocol {
  /// Whether `text` occurs, byte for byte.
  package func mentions(_ text: String) -> Bool { place(of: text) != nil }

  /// Where `text` occurs first, byte for byte.
  ///
  /// A log has thousands of lines: the standard library's search goes by characters, at a hundredth
  /// of the speed.
  @specialized(where Self == String)
  @specialized(where Self == Substring)
  package func place(of text: String) -> Range<String.Index>? {
    let offset = utf8.withContiguousStorageIfAvailable { mine in
      unsafe text.utf8.withContiguousStorageIfAvailable { unsafe Self.offset(of: $0, in: mine) }
    }
    guard let offset, let offset else { return firstRange(of: text) }
    return offset.map { offset in
      let start = utf8.index(utf8.startIndex, offsetBy: offset)
      return start..<utf8.index(start, offsetBy: text.utf8.count)
    }
  }

  fileprivate static func offset(
    of wanted: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>
  ) -> Int? {
    guard let first = unsafe wanted.first else { return 0 }
    guard let start = text.baseAddress, let bytes = wanted.baseAddress,
      text.count >= wanted.count
    else { return nil }
    let starts = text.count - wanted.count + 1
    var at = 0
    while at < starts, let found = unsafe memchr(start + at, Int32(first), starts - at) {
      at = unsafe UnsafeRawPointer(found) - UnsafeRawPointer(start)
      if unsafe memcmp(start + at, bytes, wanted.count) == 0 { return at }
      at += 1
    }
    return nil
  }
}

extension Span<UInt8> {
  /// Whether `text` occurs, byte for byte.
  package func mentions(_ text: String) -> Bool {
    let wanted = Array(text.utf8)
    return unsafe withUnsafeBufferPointer { mine in
      unsafe wanted.withUnsafeBufferPointer { unsafe String.offset(of: $0, in: mine) } != nil
    }
  }

  /// Whether the bytes are those of `other`.
  package func isSame(as other: borrowing Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }

  /// The place of the first such byte from `start` on and before `end`; `end` where there is none.
  package func place(of byte: UInt8, from start: Int, to end: Int) -> Int {
    guard start < end else { return end }
    return unsafe extracting(start..<end).withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, let found = unsafe memchr(base, Int32(byte), bytes.count)
      else { return end }
      return unsafe start + (UnsafeRawPointer(found) - base)
    }
  }

  /// The line that a byte belongs to, without its line feed, where no line before `start` is it.
  package func line(around place: Int, from start: Int) -> Range<Int> {
    var first = place
    while first > start, self[first - 1] != UInt8(ascii: "\n") { first -= 1 }
    return first..<self.place(of: UInt8(ascii: "\n"), from: place, to: count)
  }
}

extension [UInt8] {
  package mutating func append(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
    unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
