internal import KernelImages
internal import MemoryImages
internal import PageTables

/// Markdown for a mail or a job's summary: tables of the inputs and the findings, then each whole.
///
/// Source: GitHub Flavored Markdown Spec 0.29, "Tables (extension)".
enum MarkdownReport {
  static func check(_ result: CheckResult) -> String {
    var lines = ["# ptdump-lint", "", result.summary.text, ""] + inputs(of: result)
    for report in result.reports where !report.remarks.isEmpty {
      lines.append("")
      lines += report.remarks.map { "- \("\(report.subject.path): \($0)".text)" }
    }
    let findings = result.reports.flatMap { report in
      report.findings.map { (report: report, finding: $0) }
    }
    if !findings.isEmpty {
      lines += [
        "", "## Findings", "", "| severity | rule | finding | where | pages |",
        "|---|---|---|---|---:|",
      ]
    }
    for (report, finding) in findings {
      let mode = finding.mode ?? report.subject.mode
      let area = finding.area.isEmpty ? "" : ", \(finding.area)"
      let place =
        finding.hasRange
        ? "\(mode.text(finding.start))-\(mode.text(finding.end))\(area)"
        : finding.report.map { "line \($0.fault.line) of the log" } ?? "input"
      let severity =
        finding.severity.rawValue + (finding.remark.map { " (\($0))" } ?? "")
      let cells = [severity, finding.title, finding.message, place, "\(finding.pages)"]
      lines.append("| \(cells.map(\.text).joined(separator: " | ")) |")
    }
    for (report, finding) in findings where finding.isOpen {
      lines += ["", "### \(finding.title.text)", "", finding.message.text, ""]
      lines += fenced(
        [report.subject.path] + TextReport.details(finding, mode: report.subject.mode))
    }
    let skipped = result.reports.flatMap(\.skipped)
    if !skipped.isEmpty {
      lines += ["", "## Rules that could not run", ""]
      lines += skipped.map { "- \("\($0.rule.id) \($0.rule.name): \($0.reason)".text)" }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What was read, a row each, and what could not be.
  private static func inputs(of result: CheckResult) -> [String] {
    let read = result.reports.map { report in
      let subject = report.subject
      return [
        subject.path, subject.format, subject.mode.name,
        subject.facts.release?.value ?? "unknown", report.incompleteness ?? "whole",
      ]
    }
    let unread = result.unreadable.map { input in
      [input.path, "unknown", "unknown", "unknown", input.remark]
    }
    return ["| input | format | paging mode | release | read |", "|---|---|---|---|---|"]
      + (read + unread).map { "| \($0.map(\.text).joined(separator: " | ")) |" }
  }

  /// Lines as they are; the fence is longer than any in them.
  private static func fenced(_ lines: [String]) -> [String] {
    let text = lines.joined(separator: "\n").printable
    var fence = "```"
    while text.contains(fence) { fence += "`" }
    return [fence + "text", text, fence]
  }
}

extension String {
  /// As plain text of Markdown, on one line, also in a table's cell.
  fileprivate var text: String {
    printable.map { character in
      switch character {
      case "\n": " "
      case "\\", "`", "*", "_", "[", "]", "<", ">", "#", "|", "~", "&": "\\\(character)"
      default: String(character)
      }
    }.joined()
  }
}
