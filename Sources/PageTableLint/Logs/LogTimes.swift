/// The times that the lines of a kernel log carry, which tell one boot from another.
struct LogTimes {
  private struct Boot {
    /// In microseconds since boot; without 0, which all lines have before the clock runs.
    var times: Set<UInt64> = []
    var end: String.Index
  }

  private let text: String
  /// In the order of the log.
  private var boots: [Boot]

  /// Fewer lines tell nothing.
  private static let least = 8

  /// Reads the first `[seconds.microseconds]` of each line, whatever stands before it.
  init(_ text: String) {
    self.text = text
    var boots = [Boot(end: text.startIndex)]
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      if let (time, rest) = Self.time(line) {
        if rest.starts(with: " Linux version ".utf8) { boots.append(Boot(end: line.endIndex)) }
        if time > 0 { boots[boots.count - 1].times.insert(time) }
      }
      boots[boots.count - 1].end = line.endIndex
    }
    self.boots = boots
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

  /// The log as far as the boot of `own` goes: after a crash the crash kernel's may follow.
  ///
  /// - Returns: the whole log where it carries too few times to tell, or none of its boots is that
  ///   one; then with the reason.
  func part(ofBootOf own: LogTimes) -> (text: String, contradiction: String?) {
    let mine = own.boots.last?.times ?? []
    guard let first = mine.min(), let last = mine.max() else { return (text, nil) }
    // What one of them begins or ends with, the other may lack.
    let comparable = boots.map { $0.times.filter { (first...last).contains($0) } }
    let common = comparable.map { $0.intersection(mine).count }
    for (index, boot) in boots.enumerated().reversed()
    where comparable[index].count >= Self.least
      && common[index] >= comparable[index].count / 2
    {
      return (String(text[..<boot.end]), nil)
    }
    guard let count = comparable.last?.count, count >= Self.least else { return (text, nil) }
    return (
      text, "the input's own log has \(common.last ?? 0) of the \(count) times of its last boot"
    )
  }
}
