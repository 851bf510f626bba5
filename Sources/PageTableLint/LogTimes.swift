/// The times that the lines of a kernel log carry, which tell one boot from another.
struct LogTimes {
  /// In microseconds since boot; of several boots the last one's.
  private var all: Set<UInt64> = []

  /// Fewer lines tell nothing.
  private static let least = 8

  /// Reads the first `[seconds.microseconds]` of each line, whatever stands before it.
  init(_ text: String) {
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      guard let (time, rest) = Self.time(line) else { continue }
      if rest.starts(with: " Linux version ".utf8) { all = [] }
      // Before the clock runs, all lines have the same time.
      if time > 0 { all.insert(time) }
    }
  }

  private static func time(_ line: Substring.UTF8View) -> (UInt64, Substring.UTF8View)? {
    var rest = line
    while let open = rest.firstIndex(of: UInt8(ascii: "[")) {
      rest = rest[rest.index(after: open)...]
      guard let close = rest.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      let parts = rest[..<close].drop { $0 == UInt8(ascii: " ") }.split(
        separator: UInt8(ascii: "."))
      if parts.count == 2, parts[1].count == 6, let seconds = UInt64(Substring(parts[0])),
        let fraction = UInt64(Substring(parts[1])), seconds < 1 << 40
      {
        return (seconds * 1_000_000 + fraction, rest[rest.index(after: close)...])
      }
    }
    return nil
  }

  /// Why these lines are of another boot than those of `own`; nil where nothing speaks for it.
  func contradiction(of own: LogTimes) -> String? {
    guard let first = own.all.min(), let last = own.all.max() else { return nil }
    // What one of them begins or ends with, the other may lack.
    let comparable = all.filter { (first...last).contains($0) }
    let common = comparable.intersection(own.all).count
    guard comparable.count >= Self.least, common < comparable.count / 2 else { return nil }
    return "the input's own log has \(common) of its \(comparable.count) times"
  }
}
