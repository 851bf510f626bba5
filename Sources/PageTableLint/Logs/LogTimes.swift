internal import KernelText

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
      if let (stamp, rest) = LogStamp.first(in: line) {
        if rest.starts(with: " Linux version ".utf8) { boots.append(Boot(end: line.endIndex)) }
        if stamp.microseconds > 0 { boots[boots.count - 1].times.insert(stamp.microseconds) }
      }
      boots[boots.count - 1].end = line.endIndex
    }
    self.boots = boots
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
