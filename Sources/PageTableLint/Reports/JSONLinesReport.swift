/// The JSON report's objects, a line each, for programs that read a stream.
///
/// A line is an object of one key, which says what it holds; the summary comes last.
enum JSONLinesReport {
  private struct Tool: Encodable { let tool: JSONReport.Tool, schemaVersion: Int }
  private struct Input: Encodable { let input: JSONReport.Input }
  private struct Finding: Encodable { let finding: JSONReport.FindingRecord }
  private struct Skipped: Encodable { let skippedRule: JSONReport.Skipped }
  private struct Baseline: Encodable { let baseline: JSONReport.BaselineRecord }
  private struct Fault: Encodable { let fault: JSONReport.FaultRecord }
  private struct CPA: Encodable { let cpaSelfTest: JSONReport.CPA }
  private struct Summary: Encodable { let summary: JSONReport.Summary }

  static func check(_ result: CheckResult) throws -> String {
    let object = JSONReport.object(result)
    var lines: [any Encodable] = [Tool(tool: object.tool, schemaVersion: object.schemaVersion)]
    lines += object.inputs.map(Input.init)
    lines += object.findings.map(Finding.init)
    lines += object.skippedRules.map(Skipped.init)
    lines += [object.baseline].compactMap { $0 }.map(Baseline.init)
    lines += (object.faults ?? []).map(Fault.init)
    lines += [object.cpaSelfTest].compactMap { $0 }.map(CPA.init)
    lines.append(Summary(summary: object.summary))
    return try lines.map { try JSONReport.encode($0, pretty: false) }.joined()
  }
}
