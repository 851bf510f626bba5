internal import PageTables

/// A text that is a kernel's log, alone.
package struct KernelLog {
  let reports: LogReports
  let selfTests: [SelfTestRun]

  /// As far as is looked for a stamp or a byte that no text has.
  private static let looked = 1 << 20
  private static let looksForText = 1 << 16

  /// Reads a text; nil where it has none of printk's stamps, no report of page tables, and no CPA
  /// self-test as somebody pasted it.
  init?(_ bytes: borrowing Span<UInt8>) {
    guard Self.isText(bytes) else { return nil }
    let lines = LogSieve.text(of: bytes)
    selfTests = SelfTestLog.parse(lines)
    reports = LogReports(lines)
    guard
      reports.tellSomething || selfTests.contains(where: \.isMoreThanItsName)
        || Self.hasStamps(bytes)
    else { return nil }
  }

  /// Whether a text is one; read only as far as it takes to tell.
  package static func matches(_ bytes: borrowing Span<UInt8>) -> Bool {
    isText(bytes) && (hasStamps(bytes) || KernelLog(bytes) != nil)
  }

  /// Whether printk's stamps stand in its first lines.
  private static func hasStamps(_ bytes: borrowing Span<UInt8>) -> Bool {
    var lineStart = 0
    for index in 0..<min(bytes.count, looked) where bytes[index] == UInt8(ascii: "\n") {
      if index - lineStart < 512, hasStamp(bytes, lineStart, index) { return true }
      lineStart = index + 1
    }
    return false
  }

  /// Whether few bytes are control characters: a raw image of memory holds its kernel's log, too.
  static func isText(_ bytes: borrowing Span<UInt8>) -> Bool {
    let count = min(bytes.count, looksForText)
    var controls = 0
    for index in 0..<count where bytes[index] < 0x09 || (0x0e..<0x1b).contains(bytes[index]) {
      controls += 1
    }
    return count > 0 && controls <= count / 50
  }

  private static func hasStamp(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    let line = LogEncoding.decoded(bytes, start, end).line
    return LogPrefix.stamp(in: line.span, from: 0) != nil
  }
}
