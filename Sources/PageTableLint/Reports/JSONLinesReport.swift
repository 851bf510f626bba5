/// The JSON report's objects, a line each, for programs that read a stream.
///
/// A line is an object of one key, which says what it holds. The lines of an input follow each other,
/// and each can be printed as soon as its input is judged; the summary comes last.
package struct JSONLinesReport {
  private struct Tool: Encodable { let tool: JSONReport.Tool, schemaVersion: Int }
  private struct Input: Encodable { let input: JSONReport.Input }
  private struct Unreadable: Encodable { let unreadable: JSONReport.Unreadable }
  private struct Finding: Encodable { let finding: JSONReport.FindingRecord }
  private struct Skipped: Encodable { let skippedRule: JSONReport.Skipped }
  private struct Baseline: Encodable { let baseline: JSONReport.BaselineRecord }
  private struct Fault: Encodable { let fault: JSONReport.FaultRecord }
  private struct CPA: Encodable { let cpaSelfTest: JSONReport.CPA }
  private struct Statistics: Encodable { let statistics: StatisticsReport.Record }
  private struct Summary: Encodable { let summary: JSONReport.Summary }

  /// How many inputs have had their lines: the index that the next one's lines name.
  private var inputs = 0

  package init() {}

  /// The first line.
  package func head(version: String) throws -> String {
    try Self.lines([
      Tool(tool: JSONReport.Tool(version: version), schemaVersion: JSONReport.version)
    ])
  }

  /// The lines of the next input, without what only the whole run can tell.
  package mutating func lines(of report: Linter.Report) throws -> String {
    defer { inputs += 1 }
    let here = JSONReport.input(report.subject, skipped: report.skippedForSymbols)
    var lines: [any Encodable] = [Input(input: here)]
    if let figures = report.statistics {
      lines.append(Statistics(statistics: StatisticsReport.Record(figures, input: inputs)))
    }
    lines += report.findings.filter { !$0.awaitsOtherInputs }.map {
      Finding(finding: JSONReport.record($0, input: inputs, of: report.subject))
    }
    lines += JSONReport.skipped(report, input: inputs).map(Skipped.init)
    lines += JSONReport.faults(report, input: inputs).map(Fault.init)
    let tests = report.subject.selfTests
    if !tests.isEmpty { lines.append(CPA(cpaSelfTest: JSONReport.object(tests, input: inputs))) }
    return try Self.lines(lines)
  }

  /// The line of an input that could not be read.
  package func line(of input: UnreadableInput) throws -> String {
    try Self.lines([Unreadable(unreadable: JSONReport.Unreadable(input))])
  }

  /// What the whole run tells, the summary last.
  package func tail(_ result: CheckResult) throws -> String {
    var lines: [any Encodable] = []
    for (index, report) in result.reports.enumerated() {
      lines += report.findings.filter(\.awaitsOtherInputs).map {
        Finding(finding: JSONReport.record($0, input: index, of: report.subject))
      }
    }
    lines += [JSONReport.baseline(result)].compactMap { $0 }.map(Baseline.init)
    lines.append(Summary(summary: JSONReport.summary(result)))
    return try Self.lines(lines)
  }

  static func check(_ result: CheckResult) throws -> String {
    var stream = JSONLinesReport()
    var text = try stream.head(version: result.version)
    for report in result.reports { text += try stream.lines(of: report) }
    for input in result.unreadable { text += try stream.line(of: input) }
    return text + (try stream.tail(result))
  }

  private static func lines(_ objects: [any Encodable]) throws -> String {
    try objects.map { try JSONReport.encode($0, pretty: false) }.joined()
  }
}

extension Judged {
  /// Whether another input may show that it is none: that an exception is of use.
  fileprivate var awaitsOtherInputs: Bool {
    finding.rule.id == Rule.unusedException.id && finding.exception != nil
  }
}
