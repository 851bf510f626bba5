/// Runs rules over a subject.
package struct Linter {
  package struct Report: Sendable {
    package let subject: Subject
    package var findings: [Finding]
    package let skipped: [(rule: Rule, reason: String)]
    /// The rules that were asked for, those that could not run among them.
    package let rules: [Rule]

    init(
      subject: Subject, findings: [Finding], skipped: [(rule: Rule, reason: String)], rules: [Rule]
    ) {
      self.subject = subject
      self.findings = findings.fingerprinted(in: subject)
      self.skipped = skipped
      self.rules = rules
    }

    package var rulesRun: Int { rules.count - skipped.count }

    /// The findings of a severity that count.
    package func count(_ severity: Severity) -> Int {
      findings.count { $0.isOpen && $0.severity == severity }
    }

    /// Whether a part of the input was not seen, whichever rules ran.
    package var isIncomplete: Bool { !subject.isComplete }

    /// The exit status of the contract.
    package func status(failOn: Severity?, allowIncomplete: Bool) -> Int32 {
      if findings.contains(where: { $0.fails(failOn) }) { return 1 }
      // Of a log alone the reports are what was judged.
      if subject.isLogAlone, let failOn,
        faults.contains(where: { $0.severity.map { $0 >= failOn } ?? false })
      {
        return 1
      }
      return isIncomplete && !allowIncomplete ? 3 : 0
    }
  }

  package static func run(_ subject: Subject, rules: [Rule] = Rule.all) -> Report {
    var findings: [Finding] = []
    var skipped: [(rule: Rule, reason: String)] = []
    func run(_ rule: Rule, on subject: Subject) {
      let alone: String? =
        subject.isLogAlone && !rule.readsLogsAlone
        ? "needs page tables: the input is a log alone" : nil
      if let reason = alone ?? subject.whyNotInPart(rule) ?? rule.missing(in: subject) {
        skipped.append((rule: rule, reason: reason))
        return
      }
      looks.forget()
      let found = rule.check(rule, subject)
      if found.isEmpty, !looks.any { skipped.append((rule: rule, reason: Rule.sawNothing)) }
      findings += found
    }
    // What exceptions are good for shows when all else is said.
    let first = rules.filter { !$0.judgesExceptions }
    let looks = Looks()
    var judged = subject.withoutIncidental.watched(by: looks)
    for rule in first { run(rule, on: judged) }
    findings = withoutConsequences(findings).configured(in: subject)
    judged.unusedExceptions = subject.unusedExceptions(
      after: findings, of: Set(first.map(\.id)).subtracting(skipped.map(\.rule.id)))
    let told = findings.count
    for rule in rules where rule.judgesExceptions { run(rule, on: judged) }
    findings = findings.prefix(told) + Array(findings.dropFirst(told)).configured(in: subject)
    for index in findings.indices {
      findings[index].evidence += subject.evidence(for: findings[index])
    }
    findings.sort { ($0.severity, $1.rule.id, $1.start) > ($1.severity, $0.rule.id, $0.start) }
    return Report(
      subject: subject, findings: findings, skipped: skipped, rules: rules)
  }

  /// One finding a cause: what lies wholly inside a place where a table or a pointer is wrong, and
  /// what another rule's finding in its area explains, goes into that finding's evidence.
  private static func withoutConsequences(_ findings: [Finding]) -> [Finding] {
    func explains(_ cause: Finding, _ finding: Finding) -> Bool {
      if cause.rule.id == finding.rule.id || finding.rule.explainsWhatLiesBelow { return false }
      if finding.rule.givesWayTo.contains(cause.rule.id) {
        // A sum over an area speaks of all of it.
        return finding.extents.contains { part in cause.extents.contains(where: part.overlaps) }
      }
      return cause.rule.explainsWhatLiesBelow && finding.lies(within: cause.extents)
    }
    var causes = findings
    var isConsequence = [Bool](repeating: false, count: findings.count)
    for (index, finding) in findings.enumerated() {
      guard let cause = findings.firstIndex(where: { explains($0, finding) }) else { continue }
      isConsequence[index] = true
      causes[cause].evidence.append("so \(finding.rule.id), too: \(finding.message)")
    }
    return causes.indices.filter { !isConsequence[$0] }.map { causes[$0] }
  }

  /// Looks at tables that may move while they are read, until two looks agree.
  ///
  /// What the last two looks show alike stands; a finding that the next look does not show again
  /// becomes a note. A first look without findings is enough.
  ///
  /// - Parameter most: the looks that are taken at most.
  package static func settled(most: Int = 4, look: () throws -> Report) rethrows -> Report {
    let ordinals = ["first", "second", "third", "fourth"]
    var last = try look()
    var passing: [Finding] = []
    func pass(_ finding: Finding, _ why: String) {
      var note = finding
      note.severity = .note
      note.isPassing = true
      note.evidence.insert("\(why): the tables move while they are read", at: 0)
      passing.append(note)
    }
    var count = 1
    var confirmed = last.findings
    while !last.findings.isEmpty, count < min(most, ordinals.count) {
      let next = try look()
      count += 1
      let before = Set(last.findings.map(\.place))
      let now = Set(next.findings.map(\.place))
      for finding in last.findings where !now.contains(finding.place) {
        pass(finding, "was gone on the \(ordinals[count - 1]) look")
      }
      confirmed = next.findings.filter { before.contains($0.place) }
      last = next
      if confirmed.count == next.findings.count { break }
      if count == min(most, ordinals.count) {
        for finding in next.findings where !before.contains(finding.place) {
          pass(finding, "was first seen on the \(ordinals[count - 1]) look")
        }
      }
    }
    let stands = Set(confirmed.map(\.place))
    var noted: Set<Finding.Place> = []
    let notes = passing.filter { !stands.contains($0.place) && noted.insert($0.place).inserted }
    return Report(
      subject: last.subject, findings: confirmed + notes, skipped: last.skipped,
      rules: last.rules)
  }
}
