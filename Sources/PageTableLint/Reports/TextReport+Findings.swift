internal import PageTables

/// The findings of one input, for people.
extension TextReport {
  /// A line that names the input, and what is found in it below; nothing where nothing is said.
  static func findings(_ report: Linter.Report, detail: Detail, style: TextStyle)
    -> [String]
  {
    var lines: [String] = []
    let mode = report.subject.mode
    if detail != .quiet { lines += report.remarks.map(\.printable) }
    let (first, reports, notes) = parts(of: report)
    for finding in first + reports.prefix(faultsSaid) {
      lines += self.lines(finding, mode: mode, detail: detail, style: style)
    }
    let unsaid = max(0, reports.count - faultsSaid) + report.subject.faultsLeftOut
    if unsaid > 0, detail != .quiet { lines.append("and \(unsaid) more reports in the log") }
    for finding in notes { lines += self.lines(finding, mode: mode, detail: detail, style: style) }
    if detail == .verbose {
      lines += report.skipped.map { "skipped: \($0.rule.id) \($0.rule.name): \($0.reason)" }
    }
    if detail != .quiet {
      for test in report.subject.selfTests {
        lines.append("CPA self-test: \(summary(test))")
        lines += story(test, report.findings)
      }
      if report.subject.isLogAlone { lines.append("a kernel log alone: no tables were seen") }
    }
    return lines.isEmpty ? [] : [style.bold("\(report.subject.path):")] + lines
  }

  private static let faultsSaid = 16

  /// What the tables show, then what the log reports in its order, then the notes.
  private static func parts(of report: Linter.Report) -> (
    first: [Judged], reports: [Judged], notes: [Judged]
  ) {
    let grave = report.findings.filter { $0.severity > .note }
    return (
      grave.filter { $0.report == nil },
      grave.filter { $0.report != nil }.sorted { $0.line < $1.line },
      report.findings.filter { $0.severity == .note }
    )
  }

  /// - Parameter before: what stands before the finding's title.
  static func lines(
    _ finding: Judged, before: String = "", mode: TableFormat, detail: Detail = .normal,
    style: TextStyle
  ) -> [String] {
    if let remark = finding.remark {
      guard detail != .quiet else { return [] }
      return [
        "\(before)\(finding.severity.rawValue) (\(remark)): \(finding.title): \(finding.message)"
      ]
    }
    // The log's line has the address of a report.
    let message = finding.message + (finding.report.map(place(of:)) ?? "")
    let title =
      "\(before)\(style.severity(finding.severity)): \(style.bold("\(finding.title): \(message)"))"
    let details =
      finding.report == nil
      ? Self.details(finding, mode: mode) : finding.evidence.map { $0.text(mode) }
    return [title] + details.map { "    \($0)" }
  }

  /// Where a finding lies, what speaks for it and what helps, a line each.
  static func details(_ finding: Judged, mode: TableFormat) -> [String] {
    var lines: [String] = []
    if finding.hasRange {
      let mode = finding.mode ?? mode
      let table = finding.namedTable.map { "\($0.name) table" }
      let place = [table, finding.area].compactMap { $0 }.filter { !$0.isEmpty }
      lines.append(
        ([
          "range: \(mode.text(finding.start))-\(mode.text(finding.end)), \(finding.pages.counted("page"))"
        ]
          + place).joined(separator: ", "))
    }
    return lines + finding.evidence.map { $0.text(mode) } + ["help: \(finding.help)"]
  }
}
