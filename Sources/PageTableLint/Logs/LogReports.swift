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
