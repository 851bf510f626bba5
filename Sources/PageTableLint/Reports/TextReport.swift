internal import KernelImages
internal import MemoryImages
package import PageTables

/// Colour in a report for people, or none.
package struct TextStyle: Sendable {
  package let color: Bool
  /// The terminal's columns; nil where there is no terminal, whose lines are not broken.
  package let width: Int?

  package init(color: Bool, width: Int? = nil) {
    self.color = color
    self.width = width
  }

  /// A report as the terminal can show it.
  package func fitted(_ text: String) -> String {
    guard let width else { return text }
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.columns <= width ? String(line) : String(line).wrapped(to: width)
    }.joined(separator: "\n")
  }

  private func paint(_ text: String, _ codes: Int...) -> String {
    color ? codes.map { "\u{1b}[\($0)m" }.joined() + text + "\u{1b}[0m" : text
  }

  /// Bold, since the plain colour is dark on black.
  func red(_ text: String) -> String { paint(text, 1, 31) }
  /// Not yellow, which cannot be read on white.
  func magenta(_ text: String) -> String { paint(text, 1, 35) }
  func green(_ text: String) -> String { paint(text, 32) }
  package func bold(_ text: String) -> String { paint(text, 1) }

  func severity(_ severity: Severity) -> String {
    switch severity {
    case .error: red(severity.rawValue)
    case .warning: magenta(severity.rawValue)
    case .note: severity.rawValue
    }
  }

  func verdict(_ verdict: SelfTestJudge.RunVerdict) -> String {
    switch verdict {
    case .realFailure, .mixed: red(verdict.rawValue)
    case .undetermined: magenta(verdict.rawValue)
    case .passed, .falseAlarm: green(verdict.rawValue)
    }
  }
}

/// The report for people: short enough to be sent to a list.
package enum TextReport {
  /// How much is said.
  package enum Detail: Sendable { case quiet, normal, verbose }

  /// The findings, then a line that sums them up; quiet says nothing where no finding counts.
  ///
  /// - Parameters:
  ///   - status: the exit status to tell, where there is one.
  ///   - gone: what the baseline holds and no report has any more.
  package static func check(
    _ reports: [Linter.Report], detail: Detail, style: TextStyle, status: Int32? = nil,
    gone: [Baseline.Entry] = [], unreadable: [UnreadableInput] = []
  ) -> String {
    var lines: [String] = []
    for report in reports { lines += findings(report, detail: detail, style: style) }
    lines += unreadable.map { "\(style.bold($0.path)): \($0.remark)" }
    if detail == .quiet, unreadable.isEmpty,
      reports.allSatisfy({ !$0.findings.contains(where: \.isOpen) })
    {
      return ""
    }
    if detail != .quiet {
      lines += gone.map { "gone: \($0.rule) \($0.finding) (the baseline still holds it)" }
    }
    lines.append(
      "ptdump-lint: "
        + summary(
          reports, style: style, status: status, gone: gone.count, unreadable: unreadable.count))
    return lines.asLines
  }

  /// The verdict and the figures, one line.
  static func summary(
    _ reports: [Linter.Report], style: TextStyle, status: Int32?, gone: Int = 0,
    unreadable: Int = 0
  ) -> String {
    func count(_ severity: Severity) -> Int { reports.reduce(0) { $0 + $1.count(severity) } }
    let findings = reports.flatMap(\.findings)
    let apart = [
      (findings.count { $0.suppression != nil }, "accepted"),
      (findings.count { $0.suppression == nil && $0.isKnown == true }, "known"), (gone, "gone"),
    ].filter { $0.0 > 0 }.map { ", \($0.0) \($0.1)" }.joined()
    let isLogAlone = reports.allSatisfy(\.subject.isLogAlone)
    let reported = reports.map(\.reportCount).reduce(0, +)
    let verdict =
      count(.error) + count(.warning) > 0 || (isLogAlone && status == 1)
      ? style.red("FAILED")
      : unreadable > 0 || reports.contains(where: \.isIncomplete)
        ? style.magenta("INCOMPLETE")
        : isLogAlone ? "no tables were seen" : style.green("passed")
    return "\(verdict), \(count(.error).counted("error")), "
      + "\(count(.warning).counted("warning")), \(count(.note).counted("note"))"
      + (reported == 0 ? "" : ", \(reported.counted("report")) of the log")
      + " in \(reports.map(\.rulesRun).reduce(0, +).counted("rule")) "
      + "(\(reports.map(\.skipped.count).reduce(0, +)) skipped)"
      + apart + (reports.contains(where: \.subject.isPart) ? ", of a part only" : "")
      + (reports.contains(where: \.subject.lacksSymbols) ? ", without symbols" : "")
      + (reports.count > 1 ? " over \(reports.count) inputs" : "")
      + (unreadable > 0 ? ", \(unreadable.counted("input")) not analysed" : "")
      + (status.map { ", exit status \($0)" } ?? "")
  }

  /// What is new in a report and what is gone since the one before; nil where nothing changed.
  ///
  /// A finding that only one look saw is left out, and what is known or accepted.
  package static func changes(
    from old: Linter.Report, to new: Linter.Report, style: TextStyle
  ) -> String? {
    let before = Set(old.findings.filter(\.isNews).map(\.place))
    let now = Set(new.findings.filter(\.isNews).map(\.place))
    var lines: [String] = []
    for (word, report, places) in [
      ("gone", old, before.subtracting(now)), ("new", new, now.subtracting(before)),
    ] {
      for finding in report.findings where finding.isNews && places.contains(finding.place) {
        lines += self.lines(
          finding, before: "\(word): \(report.subject.path): ", mode: report.subject.mode,
          style: style)
      }
    }
    return lines.isEmpty ? nil : lines.asLines
  }

  /// What an input is and what is known of its kernel.
  package static func info(_ subject: Subject) -> String {
    var lines = ["\(subject.path): \(subject.format), \(subject.mode.name)"]
    lines += subject.readableFacts.map { "  \($0.name): \($0.value)  (\($0.source))" }
    if let image = subject.image {
      lines.append(
        "  symbols: \(image.symbols.map { "\($0.count) (\($0.source))" } ?? "none: give --symbols")"
      )
    }
    if subject.image != nil || subject.log != nil {
      let log = subject.log.map { log in
        "\(log.value.utf8.count { $0 == 10 }.counted("line")) (\(log.source))"
      }
      lines.append("  log: \(log ?? "none")")
    }
    lines += (subject.isLogAlone ? [] : subject.tables).map { table in
      let mapped = table.space.runs.reduce(UInt64(0)) { $0 &+ ($1.isLeaf ? $1.size : 0) }
      return "  table: \(table.name)" + (table.root.map { " at \($0.entry)" } ?? "")
        + ", \(mapped.readableSize) mapped"
    }
    lines += xen(subject)
    lines += (subject.image?.otherRoots ?? []).map {
      "  not read: another kernel's tables at \($0.entry), a crash kernel's or an earlier one's"
    }
    if let level = subject.dumpLevel { lines.append("  dump level: \(level)") }
    let count = subject.tablesTakenForZero
    if count > 0 {
      lines.append("  tables taken for zero: \(count) (the dump leaves zero pages out)")
    }
    if subject.isLogAlone { lines += logFacts(subject) }
    lines += subject.remarks.map { "  \($0.printable)" }
    lines += subject.problems.map { "  problem: \($0)" }
    return lines.asLines
  }

  /// The top tables of a Xen PV guest, and what else is in the memory.
  private static func xen(_ subject: Subject) -> [String] {
    guard let guest = subject.image?.guest else { return [] }
    let tables = guest.tables.map {
      "  top table: \($0.address.entry)" + ($0.isUsers ? ", a program's alone" : "")
    }
    let others = guest.otherDomains
    return tables
      + (others == 0
        ? [] : ["  not read: \(others.counted("other domain")) of Xen's"])
  }

  /// Why a self-test failed, once for each cause, and which findings belong to it.
  static func story(_ test: SelfTestJudge.Judgement, _ findings: [Judged]) -> [String] {
    var causes: [SelfTestJudge.Cause] = []
    var lines: [String] = []
    for failure in test.failures where !causes.contains(failure.cause) {
      causes.append(failure.cause)
      lines.append("    " + failure.explanation.replacing("\n", with: " "))
    }
    guard test.verdict == .falseAlarm else { return lines }
    for finding in findings where ["PT201", "PT203"].contains(finding.rule.id) {
      lines.append(
        finding.severity == .note
          ? "    \(finding.rule.id) is what the test left behind, no defect"
          : "    the cause is \(finding.rule.id): \(finding.help)")
    }
    return lines
  }

  package static func summary(_ test: SelfTestJudge.Judgement) -> String {
    let count = test.failures.count
    return "\(test.verdict.rawValue)"
      + (count == 0 ? "" : ", \(count.counted("address"))")
      + " (tests the bit: \(test.testBit.rawValue))"
  }

  /// A self-test's verdict; addresses of one verdict, cause and words once.
  ///
  /// - Parameters:
  ///   - cause: what the tables show of it, and their format; nil without tables.
  ///   - refusal: why the tables that were given are not used.
  package static func cpa(
    _ tests: [SelfTestJudge.Judgement], cause: (findings: [Judged], mode: TableFormat)?,
    refusal: LogRefusal? = nil,
    style: TextStyle
  ) -> String {
    var lines: [String] = []
    if let refusal { lines.append("\(refusal.path) is not used: \(refusal.reason)") }
    for test in tests {
      lines.append(
        "CPA self-test: \(test.result.rawValue). Verdict: \(style.verdict(test.verdict))")
      lines.append("  tested bit: \(test.testBit.rawValue) (\(test.testBitSource))")
      lines += test.notes.map { "  note: \($0)" }
      var seen: [String: Int] = [:]
      var order: [(SelfTestJudge.FailureJudgement, String)] = []
      for failure in test.failures {
        let key = "\(failure.verdict.rawValue), \(failure.cause.rawValue)"
        if seen[key] == nil { order.append((failure, key)) }
        seen[key, default: 0] += 1
      }
      for (first, key) in order {
        let count = seen[key] ?? 0
        lines.append("  \(count.counted("address")): \(key)")
        lines.append(
          "    \(first.failure.address.hex())"
            + (first.failure.entry.map { ": bad pte \($0.hex())" } ?? "")
            + (first.failure.level.map { ", level \($0)" } ?? "")
            + (count > 1 ? " and \(count - 1) more" : ""))
        lines += first.explanation.split(separator: "\n").map { "    \($0)" }
      }
    }
    for finding in cause?.findings ?? [] {
      let what = finding.severity == .note ? "left in the tables" : "cause in the tables"
      lines.append("\(what): \(finding.message)")
      lines.append(
        "  \(finding.start.address)-\(finding.end.address), "
          + "\(finding.pages.counted("page")), \(finding.area)"
      )
      if let mode = cause?.mode { lines += finding.evidence.map { "  \($0.text(mode))" } }
      lines.append("  fix: \(finding.help)")
    }
    // For a mail, where there is no terminal.
    return lines.map { $0.oneLine.wrapped(to: style.width ?? 79) }.joined(separator: "\n") + "\n"
  }
}
