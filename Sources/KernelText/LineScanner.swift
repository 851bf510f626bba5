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

  /// The next line that has one of some marks.
  mutating func next(with marks: ByteMarks, in bytes: Span<UInt8>) -> Range<Int>? {
    guard let place = marks.place(in: bytes, from: position, to: bytes.count) else { return nil }
    position = bytes.line(around: place, from: position).lowerBound
    return next(in: bytes)
  }
}

extension Span<UInt8> {
  /// Eight bytes, the first one lowest.
  @inline(__always) func word(at offset: Int) -> UInt64 {
    unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}

/// Eight characters at once, each in a byte of a word.
enum EightBytes {
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
