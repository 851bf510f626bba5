internal import PageTables

/// GitLab's Code Quality report, for the widget of a merge request: the findings that count.
///
/// GitLab compares by fingerprint with the target branch, and shows no more than the description.
///
/// Source: docs.gitlab.com, "Code Quality", "Code Quality report format".
enum GitLabReport {
  private struct Issue: Encodable {
    let description: String
    let check_name: String
    let fingerprint: String
    let severity: String
    let location: Location
  }
  private struct Location: Encodable {
    let path: String
    let lines: Lines
  }
  private struct Lines: Encodable { let begin: Int }

  static func check(_ result: CheckResult) throws -> String {
    let severities: [Severity: String] = [.error: "critical", .warning: "major", .note: "info"]
    var issues: [Issue] = []
    // A fingerprint must be the report's only one of its kind: inputs may share a defect.
    var seen: [String: Int] = [:]
    func add(
      _ description: String, _ check: String, _ fingerprint: String, _ severity: String,
      _ path: String, line: Int?
    ) {
      seen[fingerprint, default: 0] += 1
      let count = seen[fingerprint] ?? 1
      issues.append(
        Issue(
          description: description.printable, check_name: check,
          fingerprint: count == 1 ? fingerprint : "\(fingerprint)-\(count)", severity: severity,
          location: Location(
            path: path.hasPrefix("./") ? String(path.dropFirst(2)) : path,
            lines: Lines(begin: line ?? 1))))
    }
    for report in result.reports {
      let path = report.subject.path
      for finding in report.findings where finding.isOpen {
        let mode = finding.mode ?? report.subject.mode
        let area = finding.area.isEmpty ? "" : ", \(finding.area)"
        let place =
          finding.hasRange ? " (\(mode.text(finding.start))-\(mode.text(finding.end))\(area))" : ""
        add(
          "\(finding.title): \(finding.message)\(place)", finding.rule.name, finding.fingerprint,
          severities[finding.severity] ?? "info", path,
          line: report.line(of: finding))
      }
      for remark in report.remarks {
        add("ptdump-lint: \(remark)", "remark", "remark", "info", path, line: nil)
      }
      if let incomplete = report.incompleteness {
        add(
          "ptdump-lint: \(incomplete) (exit status \(result.status))", "incomplete-input",
          "incomplete-input", result.allowIncomplete ? "info" : "major", path, line: nil)
      }
    }
    for input in result.unreadable {
      add(
        "ptdump-lint: \(input.remark)", "unreadable-input", "unreadable-input", "major",
        input.path, line: nil)
    }
    return try JSONReport.encode(issues)
  }
}
