internal import KernelText
internal import PageTables

/// The times that the lines of a kernel log carry, which tell one boot from another.
struct LogTimes {
  private struct Boot {
    /// In microseconds since boot, in order; without 0, which all lines have before the clock runs.
    var times: [UInt64] = []
    /// Where its last line ends.
    var end = 0

    mutating func sort() {
      // Processors may print out of turn, and several lines at one time.
      if !zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) { times = Set(times).sorted() }
    }
  }

  /// In the order of the log.
  private var boots = [Boot()]

  /// Fewer lines tell nothing.
  private static let least = 8

  /// Reads the first `[seconds.microseconds]` of each line, whatever stands before it.
  init(_ log: borrowing Span<UInt8>) {
    var start = 0
    while start < log.count {
      let end = log.place(of: UInt8(ascii: "\n"), from: start, to: log.count)
      if let (stamp, rest) = LogStamp.first(in: log, start..<end) {
        if LogLine.has(log, rest, end, Self.banner) { boots.append(Boot()) }
        if stamp.microseconds > 0 { boots[boots.count - 1].times.append(stamp.microseconds) }
      }
      boots[boots.count - 1].end = end
      start = end + 1
    }
    for index in boots.indices { boots[index].sort() }
  }

  private static let banner = Array(" Linux version ".utf8)

  /// How far the log goes that is of the boot of `own`: after a crash the crash kernel's may follow.
  ///
  /// - Returns: nil for the whole log, where it carries too few times to tell, or none of its boots
  ///   is that one; then with the reason.
  func end(ofBootOf own: LogTimes) -> (end: Int?, contradiction: String?) {
    let mine = own.boots.last?.times ?? []
    guard let first = mine.first, let last = mine.last else { return (nil, nil) }
    // What one of them begins or ends with, the other may lack.
    let comparable = boots.map { $0.times.filter { (first...last).contains($0) } }
    let known = Set(mine)
    let common = comparable.map { $0.count { known.contains($0) } }
    for (index, boot) in boots.enumerated().reversed()
    where comparable[index].count >= Self.least
      && common[index] >= comparable[index].count / 2
    {
      return (boot.end, nil)
    }
    guard let count = comparable.last?.count, count >= Self.least else { return (nil, nil) }
    return (
      nil, "the input's own log has \(common.last ?? 0) of the \(count) times of its last boot"
    )
  }
}
