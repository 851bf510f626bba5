internal import PageTables

/// KTAP version 1, which kselftest and kernel CI read: a test a rule.
///
/// A rule fails by the findings that make the exit status 1; all findings are diagnostics before
/// their rule's line. That an input was read whole is a test, too.
///
/// Source: Documentation/dev-tools/ktap.rst, 6.12.
enum KTAPReport {
  static func check(_ result: CheckResult) -> String {
    var tests: [String] = []
    var diagnostics: [String] = []
    var totals = ["pass": 0, "fail": 0, "skip": 0]
    func add(_ isOK: Bool, _ name: String, skipped: String? = nil) {
      totals[skipped != nil ? "skip" : isOK ? "pass" : "fail", default: 0] += 1
      diagnostics.append(
        "\(isOK ? "ok" : "not ok") \(tests.count + 1) \(name.oneLine.replacing("#", with: "_"))"
          + (skipped.map { " # SKIP \($0.oneLine)" } ?? ""))
      tests.append(diagnostics.joined(separator: "\n"))
      diagnostics = []
    }
    for report in result.reports {
      let place = result.reports.count > 1 ? "\(report.subject.path): " : ""
      for one in result.results(of: report) {
        for finding in one.failures + one.remarks {
          let remark = finding.remark.map { "\($0): " } ?? ""
          diagnostics.append(
            "# \(remark)\(finding.severity.rawValue): \(finding.message)".oneLine)
          diagnostics += TextReport.details(finding, mode: report.subject.mode).map {
            "#   \($0)".oneLine
          }
        }
        add(
          one.failures.isEmpty, "\(place)\(one.rule.id) \(one.rule.name)", skipped: one.skipped)
      }
      let incomplete = report.incompleteness
      diagnostics += report.remarks.map { "# \($0)".oneLine }
      if let incomplete { diagnostics.append("# \(incomplete)".oneLine) }
      add(
        incomplete == nil || result.allowIncomplete, "\(place)input-read-whole",
        skipped: result.allowIncomplete ? incomplete : nil)
    }
    for input in result.unreadable {
      diagnostics.append("# \(input.remark)".oneLine)
      add(false, "\(input.path): input-read-whole")
    }
    return
      (["KTAP version 1", "1..\(tests.count)"] + tests + [
        "# Totals: pass:\(totals["pass"] ?? 0) fail:\(totals["fail"] ?? 0) xfail:0 xpass:0 "
          + "skip:\(totals["skip"] ?? 0) error:0",
        "# ptdump-lint: \(result.summary)",
      ]).joined(separator: "\n") + "\n"
  }
}
