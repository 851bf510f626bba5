internal import PageTables

extension Rule {
  /// Lines of a text dump that do not follow each other.
  static let textGapOrOverlap = Rule(
    id: "PT902", name: "text-gap-or-overlap", severity: .note,
    summary: "the dump's lines do not follow each other", needs: [],
    documentation: """
      What: a line of the text that starts before or behind the end of the line before it, or
      cannot be read.
      Why: the kernel prints holes too, so lines are missing or doubled.
      Fix: take the dump again, whole.
      """
  ) { rule, subject in
    anomalies(subject) { $0 == .gap || $0 == .unreadableLine }.map { table, anomaly in
      Finding(
        rule,
        "line \(anomaly.line ?? 0): "
          + (anomaly.kind == .gap ? "does not follow the line before it" : "cannot be read"),
        in: table, runs: [run(anomaly)], help: "take the dump again, whole")
    }
  }
}
