internal import KernelText
internal import PageTables

/// What a run of `check` came to: the reports of its inputs, and how they are judged.
package struct CheckResult: Sendable {
  package let reports: [Linter.Report]
  /// The inputs that could not be read.
  package let unreadable: [UnreadableInput]
  /// The severity from which the exit status is 1; nil for never.
  package let failOn: Severity?
  package let allowIncomplete: Bool
  /// The program's.
  package let version: String
  /// What the baseline holds and no report has any more; nil without a baseline.
  package let gone: [Baseline.Entry]?

  package init(
    _ reports: [Linter.Report], failOn: Severity?, allowIncomplete: Bool, version: String,
    baseline: Baseline? = nil, unreadable: [UnreadableInput] = []
  ) {
    self.reports = baseline.map { reports.map($0.marking) } ?? reports
    self.unreadable = unreadable
    gone = baseline.map { unreadable.isEmpty ? $0.gone(from: reports) : [] }
    self.failOn = failOn
    self.allowIncomplete = allowIncomplete
    self.version = version
  }

  /// The exit status of the contract.
  ///
  /// A finding in one input outweighs that another was not read, and that outweighs one read in part.
  package var status: Int32 {
    let statuses = reports.map { $0.status(failOn: failOn, allowIncomplete: allowIncomplete) }
    if statuses.contains(1) { return 1 }
    return unreadable.isEmpty ? statuses.max() ?? 0 : 2
  }

  /// The verdict, the figures and the exit status, one line.
  var summary: String {
    TextReport.summary(
      reports, style: TextStyle(color: false), status: status, gone: gone?.count ?? 0,
      unreadable: unreadable.count)
  }

  /// The rules that were asked for, and those that findings bring beside them.
  var rules: [Rule] {
    var ids: Set<String> = []
    return reports.flatMap { $0.rules + $0.findings.map(\.rule) }.filter {
      ids.insert($0.id).inserted
    }
  }

  /// What one rule said of one input.
  struct RuleResult {
    let rule: Rule
    /// The findings that make the exit status 1.
    let failures: [Judged]
    /// The findings that do not: of less severity, known or accepted.
    let remarks: [Judged]
    /// Why it did not run.
    let skipped: String?
  }

  func results(of report: Linter.Report) -> [RuleResult] {
    rules.map { rule in
      let findings = report.findings.filter { $0.rule.id == rule.id }
      return RuleResult(
        rule: rule, failures: findings.filter { $0.fails(failOn) },
        remarks: findings.filter { !$0.fails(failOn) },
        skipped: findings.isEmpty
          ? report.skipped.first { $0.rule.id == rule.id }?.reason : nil)
    }
  }
}

extension Linter.Report {
  /// What was not seen of the input, in words; nil where it was read whole.
  var incompleteness: String? {
    guard isIncomplete else { return nil }
    let problems = subject.problems + [subject.openSelfTest].compactMap { $0 }
    return "analysed in part: "
      + (problems.isEmpty
        ? "tables are missing or cut off, see the findings of family 9"
        : problems.joined(separator: "; "))
  }
}

extension Linter.Report {
  /// The line that shows a finding.
  func line(of finding: Judged) -> Int? {
    isLetGo ? finding.keptLine : subject.line(of: finding.finding)
  }

  /// The symbol of the kernel image where a finding starts.
  func symbol(of finding: Judged) -> String? {
    isLetGo ? finding.keptSymbol : subject.imageSymbol(at: finding.start)
  }
}

extension Subject {
  /// The line of a text dump, from 1, that shows where a finding starts, or of a log alone, that
  /// begins the report; nil for images.
  func line(of finding: Finding) -> Int? {
    if isLogAlone { return finding.report?.fault.line }
    guard let text, finding.hasRange else { return nil }
    let runs = text.space.runs
    let index = runs.partitioningIndex { $0.last >= finding.start }
    guard index < runs.count, runs[index].contains(finding.start), index < text.lines.count
    else { return nil }
    return Int(text.lines[index])
  }
}

extension Judged {
  /// `known` or `accepted: REASON`; nil for what counts.
  var remark: String? {
    suppression.map { "accepted: \($0)" } ?? (isKnown == true ? "known" : nil)
  }

}

extension Finding {
  /// `PT001 writable-executable`.
  var title: String { "\(rule.id) \(rule.name)" }
}
