internal import PageTables

extension Rule {
  /// An exception of the configuration whose end has come.
  static let expiredException = Rule(
    id: "PT909", name: "expired-exception", severity: .note,
    summary: "an exception of the configuration has come to its end", needs: [.exceptions],
    documentation: """
      What: an exception of .ptdump-lint.yml whose day (until) is over. It accepts nothing any more:
      what it covered counts again.
      Why: the day was set so that somebody looks again.
      How Linux should look: does not apply: the configuration is judged, not the tables.
      False alarm: a machine whose clock is wrong. The day is that of UTC, and the last one counts.
      Fix: take the exception out, or give it another day and say why in its reason.
      """,
    judge: { rule, subject, _ in
      let exceptions = subject.configuration?.exceptions ?? []
      return exceptions.indices.filter { exceptions[$0].isExpired }.compactMap { index in
        about(rule, subject, index) {
          "the exception for \($0.rule)\($0.place.text.isEmpty ? "" : " in \($0.place.text)") "
            + "ended on \($0.until ?? "")"
        }
      }
    })
}
