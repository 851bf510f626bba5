/// A finding, and what is known of it beside what its rule saw.
@dynamicMemberLookup
package struct Judged: Sendable, Codable {
  package let finding: Finding
  /// The rule's, or what the configuration makes of it.
  package internal(set) var severity: Severity
  /// The finding's, and what other findings, the log and further looks add.
  package internal(set) var evidence: [Evidence]
  /// Whether one look at tables that move saw it, and the next did not.
  package internal(set) var isPassing = false
  /// The same for the same defect in another boot; a report gives it.
  package internal(set) var fingerprint = ""
  /// The same for the same kind of defect on any machine; a report gives it.
  package internal(set) var causeKey = ""
  /// The line of a text or a log that shows it, where the report keeps that and not the text.
  var keptLine: Int?
  /// The symbol of the kernel image where it starts, where the report keeps that and not the image.
  var keptSymbol: String?
  /// The way to its first address, where the report keeps that and not the image.
  var keptWalk: FindingWalk?
  /// Whether the baseline holds it; nil without a baseline.
  package var isKnown: Bool?
  /// Why it is accepted, where an exception covers it.
  package var suppression: String?
  /// The configuration's exception that covers it, by its index.
  var coveredBy: Int?

  init(_ finding: Finding, evidence further: [Evidence] = []) {
    self.finding = finding
    severity = finding.severity
    evidence = finding.evidence + further
  }

  package subscript<Value>(dynamicMember member: KeyPath<Finding, Value>) -> Value {
    finding[keyPath: member]
  }

  /// Whether it counts: it is neither known nor accepted.
  package var isOpen: Bool { isKnown != true && suppression == nil }

  /// Whether a look that shows it for the first time says something new.
  var isNews: Bool { isOpen && !isPassing }

  /// Whether it makes the exit status 1; nil fails on nothing.
  package func fails(_ failOn: Severity?) -> Bool {
    isOpen && failOn.map { severity >= $0 } ?? false
  }
}
