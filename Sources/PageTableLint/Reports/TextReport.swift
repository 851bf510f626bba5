internal import PageTables

/// The report for people: short enough to be sent to a list.
package enum TextReport {
  package static func check(_ report: Linter.Report, verbose: Bool) -> String {
    var lines: [String] = []
    let subject = report.subject
    for finding in report.findings {
      lines.append(
        "\(subject.path): \(finding.severity.rawValue): \(finding.rule.id) \(finding.rule.name): "
          + finding.message)
      if finding.start != finding.end || finding.start != 0 {
        lines.append(
          "    range: \(finding.start.address)-\(finding.end.address), \(finding.pages) pages, "
            + "\(finding.table) table, \(finding.area)")
      }
      lines += finding.evidence.map { "    \($0)" }
      lines.append("    help: \(finding.help)")
    }
    if verbose {
      lines += report.skipped.map { "skipped: \($0.rule.id) \($0.rule.name): \($0.reason)" }
    }
    for test in subject.selfTests { lines.append("CPA self-test: \(summary(test))") }
    let errors = report.count(.error)
    let warnings = report.count(.warning)
    let verdict =
      errors + warnings > 0
      ? "FAILED" : report.isIncomplete ? "INCOMPLETE" : "passed"
    lines.append(
      "ptdump-lint: \(verdict), \(errors) errors, \(warnings) warnings, "
        + "\(report.count(.note)) notes in \(report.rulesRun) rules "
        + "(\(report.skipped.count) skipped)")
    return lines.joined(separator: "\n") + "\n"
  }

  package static func summary(_ test: SelfTestJudge.Judgement) -> String {
    let count = test.failures.count
    return "\(test.verdict.rawValue)"
      + (count == 0 ? "" : ", \(count) address\(count == 1 ? "" : "es")")
      + " (tests the bit: \(test.testBit.rawValue))"
  }

  /// A self-test's verdict; addresses of one verdict, cause and words once.
  package static func cpa(_ tests: [SelfTestJudge.Judgement], cause: [Finding]) -> String {
    var lines: [String] = []
    for test in tests {
      lines.append("CPA self-test: \(test.result.rawValue). Verdict: \(test.verdict.rawValue)")
      lines.append("  tested bit: \(test.testBit.rawValue) (\(test.testBitSource))")
      var seen: [String: Int] = [:]
      var order: [(SelfTestJudge.FailureJudgement, String)] = []
      for failure in test.failures {
        let key = "\(failure.verdict.rawValue), \(failure.cause.rawValue)"
        if seen[key] == nil { order.append((failure, key)) }
        seen[key, default: 0] += 1
      }
      for (first, key) in order {
        let count = seen[key] ?? 0
        lines.append("  \(count) address\(count == 1 ? "" : "es"): \(key)")
        lines.append(
          "    \(first.failure.address.hex())"
            + (first.failure.entry.map { ": bad pte \($0.hex())" } ?? "")
            + (first.failure.level.map { ", level \($0)" } ?? "")
            + (count > 1 ? " and \(count - 1) more" : ""))
        lines += first.explanation.split(separator: "\n").map { "    \($0)" }
      }
      lines += test.notes.map { "  note: \($0)" }
    }
    for finding in cause {
      lines.append("cause in the tables: \(finding.message)")
      lines.append(
        "  \(finding.start.address)-\(finding.end.address), \(finding.pages) pages, \(finding.area)"
      )
      lines += finding.evidence.map { "  \($0)" }
      lines.append("  fix: \(finding.help)")
    }
    return lines.map(wrapped).joined(separator: "\n") + "\n"
  }

  /// Breaks a long line between words for a terminal of 80 columns, keeping its indent.
  private static func wrapped(_ line: String) -> String {
    let indent = String(line.prefix { $0 == " " })
    var made: [String] = []
    var current = indent
    for word in line.split(separator: " ") {
      if current.count > indent.count, current.count + 1 + word.count > 79 {
        made.append(current)
        current = indent + "  "
      }
      if current.last.map({ $0 != " " }) ?? false { current += " " }
      current += word
    }
    return (made + [current]).joined(separator: "\n")
  }
}
