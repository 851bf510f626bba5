/// Runs rules over a subject.
package struct Linter {
  package struct Report: Sendable {
    package let subject: Subject
    package let findings: [Finding]
    package let skipped: [(rule: Rule, reason: String)]
    package let rulesRun: Int

    package func count(_ severity: Severity) -> Int {
      findings.count { $0.severity == severity }
    }

    /// Whether a part of the input was not seen, whichever rules ran.
    package var isIncomplete: Bool { !subject.isComplete }

    /// The exit status of the contract.
    package func status(failOn: Severity?, allowIncomplete: Bool) -> Int32 {
      if let failOn, findings.contains(where: { $0.severity >= failOn }) { return 1 }
      return isIncomplete && !allowIncomplete ? 3 : 0
    }
  }

  package static func run(_ subject: Subject, rules: [Rule] = Rule.all) -> Report {
    var findings: [Finding] = []
    var skipped: [(rule: Rule, reason: String)] = []
    for rule in rules {
      if let reason = rule.needs.lazy.compactMap({ $0.missing(in: subject) }).first {
        skipped.append((rule: rule, reason: reason))
      } else {
        findings += rule.check(rule, subject)
      }
    }
    for index in findings.indices {
      findings[index].evidence += subject.evidence(for: findings[index])
    }
    findings.sort { ($0.severity, $1.rule.id, $1.start) > ($1.severity, $0.rule.id, $0.start) }
    return Report(
      subject: subject, findings: findings, skipped: skipped, rulesRun: rules.count - skipped.count)
  }
}
