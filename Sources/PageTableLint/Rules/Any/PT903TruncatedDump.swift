internal import PageTables

extension Rule {
  /// An input that does not hold what it should.
  static let truncatedDump = Rule(
    id: "PT903", name: "truncated-dump", severity: .note,
    summary: "the input is cut off, elided or damaged", needs: [],
    documentation: """
      What: a text that does not hold the whole address space: it starts late, ends early or is
      elided between. Or an image whose parts are missing or contradict each other. Or a rule that
      was stopped, because it would look at more than the input's tables warrant.
      Why: what was not seen is not clean.
      How Linux should look: a text starts at 0x0000000000000000 and ends there again, at the top.
      False alarm: none; an excerpt is one. `--allow-incomplete` takes it for what it is.
      Fix: take the dump again, whole.
      References:
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: note_page_flush
      """
  ) { rule, subject in
    subject.looking(at: subject.problems).map { rule.finding($0, in: subject) }
      + anomaliesByTable(subject) { $0 == .truncated }.map { table, found in
        Finding(
          rule, "the text does not hold the whole address space: it is cut off or elided",
          in: table, runs: [], evidence: [.words(lines(found))], help: "take the dump again, whole")
      }
  }

  /// That something of the input was not seen.
  func finding(_ problem: String, in subject: Subject) -> Finding {
    Finding(self, problem, in: subject.kernel, runs: [], help: "take the dump again, whole")
  }
}
