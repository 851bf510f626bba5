internal import PageTables

extension Rule {
  /// Lines of a text dump whose size is not that of their range.
  static let sizeMismatch = Rule(
    id: "PT901", name: "size-mismatch", severity: .note,
    summary: "a line's size is not that of its range", needs: [],
    documentation: """
      What: SIZE of a line of the text differs from END - START.
      Why: the kernel always prints them equal: the text was edited or damaged on its way.
      Fix: take the dump again, whole.
      """
  ) { rule, subject in
    anomalies(subject) { if case .sizeMismatch = $0 { true } else { false } }.map {
      table, anomaly in
      var printed: UInt64 = 0
      if case .sizeMismatch(let size) = anomaly.kind { printed = size }
      return Finding(
        rule,
        "line \(anomaly.line ?? 0): prints \(printed.size) for \(anomaly.size.size)", in: table,
        runs: [run(anomaly)], help: "take the dump again, whole")
    }
  }
}
