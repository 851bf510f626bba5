internal import PageTables

extension Rule {
  /// An input that does not hold what it should.
  static let truncatedDump = Rule(
    id: "PT903", name: "truncated-dump", severity: .note,
    summary: "the input is cut off, elided or damaged", needs: [],
    documentation: """
      What: a text that does not reach the top of the address space, or an image whose parts are
      missing or contradict each other.
      Why: what was not seen is not clean.
      Fix: take the dump again, whole.
      """
  ) { rule, subject in
    subject.problems.map { problem in
      Finding(rule, problem, in: subject.kernel, runs: [], help: "take the dump again, whole")
    }
      + anomalies(subject) { $0 == .truncated }.map { table, anomaly in
        Finding(
          rule, "the text does not hold the whole address space: it is cut off or elided",
          in: table,
          runs: [], evidence: ["line \(anomaly.line ?? 0)"], help: "take the dump again, whole")
      }
  }
}
