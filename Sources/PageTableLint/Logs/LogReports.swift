internal import PageTables

/// What a kernel log reports of page tables: page faults, bad entries, insecure mappings.
package struct LogReports: Sendable, Equatable {
  /// In the order of the log; of several boots the last one's.
  package var faults: [Fault] { all.filter { $0.boot == boot } }
  /// Those of every boot.
  package internal(set) var all: [Fault] = []
  /// What the log says of its kernel and machine.
  package internal(set) var facts = LogFacts()
  /// The release that the log itself names.
  package var release: String? { facts.release }
  /// Why the kernel panicked, as logged; nil where it did not.
  package internal(set) var panic: String?
  /// Reports that were counted and not kept.
  package internal(set) var leftOut = 0
  /// The number of the last boot.
  var boot = 0

  /// The claims of every architecture, asked in turn.
  static let claims: [Claim] = [.x86, .arm64]
  private static let marks = LogMarks(claims)

  /// Whether they show that a text is a kernel's log.
  var tellSomething: Bool { !all.isEmpty || leftOut > 0 || release != nil }

  /// Reads a log, however it is stamped, quoted or wrapped.
  package init(_ text: String) {
    var text = text
    text.makeContiguousUTF8()
    self.init(bytes: text.utf8.span)
  }

  package init(bytes: borrowing Span<UInt8>) {
    var parser = ReportParser()
    LogReader.read(bytes, marks: Self.marks, into: &parser)
    self = parser.finished()
  }
}

/// Whether an input is a kernel's log.
package enum KernelLog {
  /// As far as is looked for a stamp or a byte that no text has.
  private static let looked = 1 << 20
  private static let looksForText = 1 << 16

  /// Whether the bytes are a text with printk's stamps, with reports of page tables, or with a CPA
  /// self-test as somebody pasted it.
  package static func matches(_ bytes: borrowing Span<UInt8>) -> Bool {
    guard isText(bytes) else { return false }
    if hasStamps(bytes) { return true }
    let log = LogSieve.text(of: bytes)
    return LogReports(log).tellSomething
      || SelfTestLog.parse(log).contains(where: \.isMoreThanItsName)
  }

  /// Whether printk's stamps stand in its first lines.
  static func hasStamps(_ bytes: borrowing Span<UInt8>) -> Bool {
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
