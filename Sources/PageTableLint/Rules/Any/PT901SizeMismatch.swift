internal import PageTables

extension Rule {
  /// Lines of a text dump whose size is not that of their range.
  static let sizeMismatch = Rule(
    id: "PT901", name: "size-mismatch", severity: .note,
    summary: "a line's size is not that of its range", needs: [.textDump],
    documentation: """
      What: the SIZE of a line of the text differs from END - START.
      Why: the kernel prints them equal, always and exactly: the text was edited, or damaged on its
      way. What it says of these addresses cannot be relied on.
      How Linux should look: each size is whole, in the largest unit that divides it.
      False alarm: none known.
      Fix: take the dump again, whole, and send it as a file rather than pasted.
      References:
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: note_page
      """
  ) { rule, subject in
    anomaliesByTable(subject) { if case .sizeMismatch = $0 { true } else { false } }.map {
      table, found in
      var evidence: [Evidence] = []
      for anomaly in found.prefix(3) {
        guard case .sizeMismatch(let printed) = anomaly.kind else { continue }
        evidence.append(
          "line \(anomaly.line ?? 0) prints \(printed.size) for \(anomaly.size.size)")
      }
      return Finding(
        rule, "\(lines(found)): another size than that of the range", in: table,
        runs: found.map(run), evidence: evidence, help: "take the dump again, whole")
    }
  }
}
