internal import Dispatch
internal import Synchronization

/// Runs rules over a subject.
package struct Linter {
  /// A rule that did not run, and why.
  package struct SkippedRule: Sendable, Codable {
    package let rule: Rule
    package let reason: String
  }

  /// What rules say of an input.
  ///
  /// As bytes it is without its image: a process that reads a hostile input hands it to another.
  package struct Report: Sendable, Codable {
    package internal(set) var subject: Subject
    /// Figures of the kernel's table, where they were asked for.
    var statistics: Statistics?
    package var findings: [Judged]
    package let skipped: [SkippedRule]
    /// The rules that were asked for, those that could not run among them.
    package let rules: [Rule]

    init(
      subject: Subject, findings: [Judged], skipped: [SkippedRule], rules: [Rule]
    ) {
      self.subject = subject
      self.findings = findings.fingerprinted(in: subject)
      self.skipped = skipped
      self.rules = rules
    }

    package var rulesRun: Int { rules.count - skipped.count }

    /// The rules that did not run because the kernel's symbols were not found.
    var skippedForSymbols: Int {
      if let kept = subject.kept { return kept.skippedForSymbols }
      return skipped.count {
        subject.whyNotInPart($0.rule) == nil && $0.rule.lacksSymbols(in: subject)
      }
    }

    /// What the reader of a report must know of how the input was looked at, a line each.
    package var remarks: [String] {
      guard subject.lacksSymbols else { return subject.remarks }
      let count = skippedForSymbols
      return subject.remarks + [
        "the kernel's symbols were not found"
          + (count == 0
            ? "" : ", so \(count.counted("rule")) could not run")
          + ": \(Subject.symbolAdvice)"
      ]
    }

    /// The findings of a severity that count.
    package func count(_ severity: Severity) -> Int {
      findings.count { $0.isOpen && $0.severity == severity }
    }

    /// The reports of page tables that the log holds.
    package var reportCount: Int { subject.told.count + subject.faultsLeftOut }

    /// Whether a part of the input was not seen, whichever rules ran.
    package var isIncomplete: Bool { !subject.isJudgedWhole }

    /// The exit status of the contract.
    package func status(failOn: Severity?, allowIncomplete: Bool) -> Int32 {
      if findings.contains(where: { $0.fails(failOn) }) { return 1 }
      return isIncomplete && !allowIncomplete ? 3 : 0
    }
  }

  package static func run(_ subject: Subject, rules: [Rule] = Rule.all) -> Report {
    var subject = subject
    let outcomes = outcomes(
      of: rules.filter { $0.checkExceptions == nil }, on: subject.withoutIncidental)
    var found = outcomes.flatMap(\.findings)
    let stopped = outcomes.flatMap(\.stopped)
    subject.problems += stopped
    if rules.contains(where: { $0.id == Rule.truncatedDump.id }) {
      found += stopped.map { Rule.truncatedDump.finding($0, in: subject) }
    }
    return report(found, outcomes.compactMap(\.skipped), of: subject, rules: rules)
  }

  /// Checks rules side by side, each by itself.
  ///
  /// - Returns: what they say, in the order of the rules.
  private static func outcomes(of rules: [Rule], on subject: Subject) -> [Outcome] {
    let outcomes = Mutex([Outcome?](repeating: nil, count: rules.count))
    let steps = Looks.share(of: subject)
    DispatchQueue.concurrentPerform(iterations: rules.count) { index in
      let outcome = Outcome(of: rules[index], on: subject, Looks(steps: steps))
      outcomes.withLock { $0[index] = outcome }
    }
    return outcomes.withLock { $0.compactMap { $0 } }
  }

  /// What one rule says of a subject.
  private struct Outcome: Sendable {
    private(set) var findings: [Finding] = []
    /// That it did not run.
    private(set) var skipped: SkippedRule?
    /// What is missing of its findings.
    private(set) var stopped: [String] = []

    /// What one rule finds in one input at most.
    ///
    /// A hostile image has a place for each of its tables.
    private static let most = 4096

    init(of rule: Rule, on subject: Subject, _ looks: Looks) {
      let watched = subject.watched(by: looks)
      if let reason = watched.whySkipped(rule) {
        skipped = SkippedRule(rule: rule, reason: reason)
        return
      }
      looks.begin()
      let found = rule.check(rule, watched)
      if found.isEmpty, !looks.any { skipped = SkippedRule(rule: rule, reason: Rule.sawNothing) }
      if looks.isStopped { stopped.append(rule.stopped) }
      if found.count > Self.most { stopped.append(rule.cutOff(at: Self.most, of: found)) }
      findings = Array(found.prefix(Self.most))
    }
  }

  /// Judges what was found.
  private static func report(
    _ found: [Finding], _ skipped: [SkippedRule], of subject: Subject,
    rules: [Rule]
  ) -> Report {
    var skipped = skipped
    var judged = found.withoutConsequences.configured(in: subject)
    // What exceptions are good for shows when all else is said.
    let skippedIDs = skipped.map(\.rule.id)
    let ran = Set(rules.filter { $0.checkExceptions == nil }.map(\.id)).subtracting(skippedIDs)
    let unused = subject.unusedExceptions(after: judged, of: ran)
    for rule in rules {
      guard let check = rule.checkExceptions else { continue }
      if let reason = subject.whySkipped(rule) {
        skipped.append(SkippedRule(rule: rule, reason: reason))
      } else {
        judged += check(rule, subject, unused).map { Judged($0) }.configured(in: subject)
      }
    }
    judged = judged.takingReports(of: subject)
    judged.sort {
      ($0.severity, $1.rule.id, $1.line, $1.start) > ($1.severity, $0.rule.id, $0.line, $0.start)
    }
    return Report(subject: subject, findings: judged, skipped: skipped, rules: rules)
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
    var passing: [Judged] = []
    func pass(_ finding: Judged, _ why: String) {
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

extension Rule {
  /// That its check was stopped.
  fileprivate var stopped: String {
    "\(id) (\(name)) was stopped: it would look at more than these tables warrant"
  }

  /// That some of its findings are left out.
  fileprivate func cutOff(at most: Int, of findings: [Finding]) -> String {
    "\(id) (\(name)) has \(findings.count) findings: all but the first \(most) are left out"
  }
}

extension Subject {
  /// Why a rule does not run; nil where it does.
  fileprivate func whySkipped(_ rule: Rule) -> String? {
    if isLogAlone, !rule.readsLogsAlone { return "needs page tables: the input is a log alone" }
    return whyNotInPart(rule) ?? rule.missing(in: self)
  }
}
