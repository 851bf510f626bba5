internal import PageTables

/// The time that printk puts before a message: `[    5.140900] `.
///
/// Source: `print_time`, kernel/printk/printk.c, 6.12.
package struct LogStamp: Sendable, Equatable {
  package let microseconds: UInt64

  package init(microseconds: UInt64) { self.microseconds = microseconds }

  /// As the kernel prints it, with the space after it.
  package var text: String {
    var text: [UInt8] = []
    append(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Appends each line of a message with the stamp before it, as a console prints it.
  package func append(_ message: ArraySlice<UInt8>, to log: inout [UInt8]) {
    var rest = message
    while !rest.isEmpty {
      let end = rest.firstIndex(of: 10) ?? rest.endIndex
      if end > rest.startIndex {
        append(to: &log)
        log += rest[..<end]
        log.append(10)
      }
      rest = rest[end...].dropFirst()
    }
  }

  private func append(to text: inout [UInt8]) {
    var (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    var digits = 5
    var limit: UInt64 = 100_000
    while seconds >= limit {
      digits += 1
      limit *= 10
    }
    let start = text.count
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: digits + 10))
    var place = start + digits + 7
    for _ in 0..<6 {
      text[place] = UInt8(ascii: "0") + UInt8(fraction % 10)
      fraction /= 10
      place -= 1
    }
    text[start] = UInt8(ascii: "[")
    text[place] = UInt8(ascii: ".")
    text[start + digits + 8] = UInt8(ascii: "]")
    repeat {
      place -= 1
      text[place] = UInt8(ascii: "0") + UInt8(seconds % 10)
      seconds /= 10
    } while seconds > 0
  }

  /// Finds the first `[seconds.microseconds]` of a line, whatever stands before it.
  ///
  /// - Returns: the stamp and the place after its bracket; nil for a line without one.
  package static func first(
    in bytes: borrowing Span<UInt8>, _ line: Range<Int>
  ) -> (stamp: LogStamp, end: Int)? {
    var open = bytes.place(of: UInt8(ascii: "["), from: line.lowerBound, to: line.upperBound)
    while open < line.upperBound {
      if let found = stamp(in: bytes, open + 1..<line.upperBound) { return found }
      open = bytes.place(of: UInt8(ascii: "["), from: open + 1, to: line.upperBound)
    }
    return nil
  }

  /// The stamp of which a bracket stands before `range`.
  private static func stamp(
    in bytes: borrowing Span<UInt8>, _ range: Range<Int>
  ) -> (stamp: LogStamp, end: Int)? {
    var at = range.lowerBound
    while at < range.upperBound, bytes[at] == UInt8(ascii: " ") { at += 1 }
    func digits() -> (value: UInt64, count: Int) {
      var value: UInt64 = 0
      let start = at
      // 2^40 seconds have 13 digits.
      while at < range.upperBound, at - start < 13, (0x30...0x39).contains(bytes[at]) {
        value = value * 10 + UInt64(bytes[at] - 0x30)
        at += 1
      }
      return (value, at - start)
    }
    let seconds = digits()
    guard seconds.count > 0, seconds.value < 1 << 40, at < range.upperBound,
      bytes[at] == UInt8(ascii: ".")
    else { return nil }
    at += 1
    let fraction = digits()
    guard fraction.count == 6, at < range.upperBound, bytes[at] == UInt8(ascii: "]") else {
      return nil
    }
    return (LogStamp(microseconds: seconds.value * 1_000_000 + fraction.value), at + 1)
  }
}
