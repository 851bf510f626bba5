/// The formats of `check`'s report, by the names that `--format` takes.
package enum CheckFormat: String, CaseIterable, Sendable {
  case text, json, jsonl, sarif, junit, ktap, github, gitlab, markdown, html

  /// The report.
  ///
  /// - Parameters:
  ///   - detail: how much text says.
  ///   - style: the colour of text.
  package func report(
    _ result: CheckResult, detail: TextReport.Detail, style: TextStyle
  ) throws -> String {
    switch self {
    case .text:
      TextReport.check(
        result.reports, detail: detail, style: style, status: result.status,
        gone: result.gone ?? [], unreadable: result.unreadable)
    case .json: try JSONReport.check(result)
    case .jsonl: try JSONLinesReport.check(result)
    case .sarif: try SARIFReport.check(result)
    case .junit: JUnitReport.check(result)
    case .ktap: KTAPReport.check(result)
    case .github: GitHubReport.check(result)
    case .gitlab: try GitLabReport.check(result)
    case .markdown: MarkdownReport.check(result)
    case .html: try CheckPage.make(result)
    }
  }
}
