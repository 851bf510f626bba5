/// The time that printk puts before a message: `[    5.140900] `.
///
/// Source: `print_time`, kernel/printk/printk.c, 6.12.
package struct LogStamp: Sendable, Equatable {
  package let microseconds: UInt64

  package init(microseconds: UInt64) { self.microseconds = microseconds }

  /// As the kernel prints it, with the space after it.
  package var text: String {
    let seconds = String(microseconds / 1_000_000)
    let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
    let blanks = String(repeating: " ", count: max(0, 5 - seconds.count))
    return "[\(blanks)\(seconds).\(fraction)] "
  }

  /// Finds the first `[seconds.microseconds]` of a line, whatever stands before it.
  ///
  /// - Returns: the stamp and what follows its bracket; nil for a line without one.
  package static func first(in line: Substring.UTF8View)
    -> (stamp: LogStamp, rest: Substring.UTF8View)?
  {
    var rest = line
    while let open = rest.firstIndex(of: UInt8(ascii: "[")) {
      rest = rest[rest.index(after: open)...]
      guard let close = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      let parts = rest[..<close].drop { $0 == UInt8(ascii: " ") }.split(
        separator: UInt8(ascii: "."))
      if parts.count == 2, parts[1].count == 6, let seconds = UInt64(Substring(parts[0])),
        let fraction = UInt64(Substring(parts[1])), seconds < 1 << 40
      {
        return (
          LogStamp(microseconds: seconds * 1_000_000 + fraction), rest[rest.index(after: close)...]
        )
      }
    }
    return nil
  }
}
