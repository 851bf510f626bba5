internal import PageTables

extension Rule {
  /// Lines of a text dump that do not follow each other.
  static let textGapOrOverlap = Rule(
    id: "PT902", name: "text-gap-or-overlap", severity: .note,
    summary: "the dump's lines do not follow each other", needs: [.textDump],
    documentation: """
      What: a line of the text that starts before or behind the end of the line before it, or that
      cannot be read.
      Why: the kernel prints holes too, so lines are missing, doubled or broken, and with them what
      they would have shown.
      How Linux should look: each line starts where the line before it ended. Exceptions are the
      addresses that are not canonical, and what the kernel says it skipped in the ESPfix area
      ("entries skipped").
      False alarm: a log in which other messages broke a line.
      Fix: take the dump again, whole: from debugfs, not from the log.
      References:
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: note_page
      """
  ) { rule, subject in
    anomaliesByTable(subject) { $0 == .gap || $0 == .unreadableLine }.map { table, found in
      let unread = found.filter { $0.kind == .unreadableLine }
      let strays = found.filter { $0.kind == .gap }
      let parts = [
        strays.isEmpty
          ? nil : "\(lines(strays)): not behind the end of the line before",
        unread.isEmpty ? nil : "\(lines(unread)): cannot be read",
      ]
      return Finding(
        rule, parts.compactMap { $0 }.joined(separator: "; "), in: table,
        runs: found.prefix(1).map(run), help: "take the dump again, whole")
    }
  }
}
