/// Workflow commands of GitHub Actions, which become annotations: one a finding that counts.
///
/// Source: docs.github.com, "Workflow commands for GitHub Actions"; the escapes are those of
/// `escapeData` and `escapeProperty` in actions/toolkit, packages/core/src/command.ts.
enum GitHubReport {
  static func check(_ result: CheckResult) -> String {
    var lines: [String] = []
    for report in result.reports {
      let path = report.subject.path
      for finding in report.findings where finding.isOpen {
        let text = [finding.message] + TextReport.details(finding, mode: report.subject.mode)
        let line = report.line(of: finding).map { [("line", "\($0)")] } ?? []
        lines.append(
          command(
            finding.severity, [("title", finding.title), ("file", path)] + line,
            text.joined(separator: "\n")))
      }
      for remark in report.remarks {
        lines.append(
          command(.note, [("title", "ptdump-lint: remark"), ("file", path)], remark))
      }
      if let incomplete = report.incompleteness {
        lines.append(
          command(
            result.allowIncomplete ? .note : .warning,
            [("title", "ptdump-lint: incomplete"), ("file", path)], incomplete))
      }
    }
    for input in result.unreadable {
      lines.append(
        command(
          .error, [("title", "ptdump-lint: not analysed"), ("file", input.path)],
          "\(input.reason); \(input.advice)"))
    }
    lines.append(
      command(result.status == 1 ? .error : .note, [("title", "ptdump-lint")], result.summary))
    return lines.joined(separator: "\n") + "\n"
  }

  private static func command(
    _ severity: Severity, _ properties: [(name: String, value: String)], _ text: String
  ) -> String {
    let names: [Severity: String] = [.error: "error", .warning: "warning", .note: "notice"]
    let listed = properties.map { "\($0.name)=\(property($0.value))" }.joined(separator: ",")
    return "::\(names[severity] ?? "notice") \(listed)::\(data(text))"
  }

  private static func data(_ text: String) -> String {
    text.replacing("%", with: "%25").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
  }

  private static func property(_ text: String) -> String {
    data(text).replacing(":", with: "%3A").replacing(",", with: "%2C")
  }
}
