internal import KernelImages
internal import PageTables

/// `check --format html`: one page for all inputs.
enum CheckPage {
  /// What the parts of a page that grow with its inputs may take together, in bytes.
  static let budget = 340_000

  static func make(_ result: CheckResult) throws -> String {
    let reports = result.reports
    var page = Page()
    let isFailed =
      result.status == 1 || reports.contains { $0.count(.error) + $0.count(.warning) > 0 }
    let verdict: Page.Verdict =
      isFailed ? .failed : isPartial(result) ? .partial : .passed
    var body: Markup = ""
    var sections: [(name: String, report: Linter.Report)] = []
    var contents: Markup = ""
    for (index, report) in reports.enumerated() {
      let input = InputSection(report, budget: max(16_000, budget / max(1, reports.count)))
      let name = page.names.claim("input-\(index + 1)")
      sections.append((name, report))
      contents += """
        <div class="\(reports.count > 1 ? "input" : "")" id="\(name)">
        \(reports.count > 1 ? input.title : "")\(input.markup(&page))</div>

        """
    }
    if reports.count > 1 { body += index(sections, result, &page) }
    body += contents
    if !result.unreadable.isEmpty {
      body += Markup.section("unreadable", "Not read", unreadableTable(result.unreadable), &page)
    }
    if let gone = result.gone, !gone.isEmpty {
      body += Markup.section("gone", "Known findings that are gone", goneTable(gone), &page)
    }
    let only = reports.count == 1 ? reports.first : nil
    let heading: Markup = """
      <h1>\(headline(result))</h1>
      <p class="sub">\(only.map { Markup.path($0.subject.path) })</p>
      <p class="sub" id="summary">\(result.summary)</p>
      \(only.map { InputSection.chips($0) })
      """
    let title = "\(only?.subject.path ?? "\(reports.count) inputs"): \(result.summary)"
    return try page.rendered(
      title: title.shortened(200), verdict: verdict, version: result.version, heading: heading,
      body: body)
  }

  /// `2 errors, 1 warning`, or what is said where there are none.
  private static func headline(_ result: CheckResult) -> String {
    func count(_ severity: Severity) -> Int {
      result.reports.reduce(0) { $0 + $1.count(severity) }
    }
    let counts = [(count(.error), "error"), (count(.warning), "warning")].map { count, word in
      count.counted(word)
    }.joined(separator: ", ")
    guard count(.error) + count(.warning) == 0 else { return counts }
    if isPartial(result) { return "Read in part: \(counts) so far" }
    return result.reports.allSatisfy(\.subject.isLogAlone)
      ? "\(counts); no tables were seen" : counts
  }

  private static func index(
    _ sections: [(name: String, report: Linter.Report)], _ result: CheckResult, _ page: inout Page
  ) -> Markup {
    let rows: [[Markup]] = sections.map { name, report in
      let subject = report.subject
      let status = report.status(failOn: result.failOn, allowIncomplete: result.allowIncomplete)
      return [
        "<a href=\"#\(name)\">\(subject.path.shortened())</a>", "\(subject.mode.name)",
        "\(subject.facts.release?.value.shortened(60) ?? "unknown")",
        "\(report.isIncomplete ? "in part" : "whole")",
        .number(
          "\(report.count(.error))", UInt64(report.count(.error)), isBad: report.count(.error) > 0),
        .number("\(report.count(.warning))", UInt64(report.count(.warning))),
        .number("\(report.count(.note))", UInt64(report.count(.note))), "\(status)",
      ]
    }
    let table = Markup.table(
      "Each input is judged by itself",
      [
        "input", "paging mode", "release", "read", "errors", "warnings", "notes", "exit status",
      ], rows)
    return Markup.section("inputs", "Inputs", table, &page)
  }

  /// Whether there is something that was not seen.
  private static func isPartial(_ result: CheckResult) -> Bool {
    !result.unreadable.isEmpty || result.reports.contains(where: \.isIncomplete)
  }

  private static func unreadableTable(_ inputs: [UnreadableInput]) -> Markup {
    Markup.table(
      "These inputs could not be read", ["input", "reason", "what to do"],
      inputs.prefix(200).map {
        [.path($0.path), "\($0.reason.shortened())", "\($0.advice.shortened())"]
      })
  }

  private static func goneTable(_ gone: [Baseline.Entry]) -> Markup {
    Markup.table(
      "What the baseline still holds", ["rule", "finding"],
      gone.prefix(200).map { ["\($0.rule)", "\($0.finding.shortened())"] })
  }
}
