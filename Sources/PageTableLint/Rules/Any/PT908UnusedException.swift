internal import PageTables

extension Rule {
  /// An exception of the configuration that accepts nothing.
  static let unusedException = Rule(
    id: "PT908", name: "unused-exception", severity: .note,
    summary: "an exception of the configuration accepts no finding", needs: [.exceptions],
    documentation: """
      What: an exception of .ptdump-lint.yml whose rule ran over its place and found nothing there.
      Why: what was accepted is fixed, or the exception names the wrong place. It would hide the
      next defect of that kind.
      How Linux should look: does not apply: the configuration is judged, not the tables.
      False alarm: a configuration for several kernels of which only some need the exception. With
      several inputs in one run, one that needs it is enough.
      Fix: take the exception out.
      """, comparesParts: true,
    judge: { rule, subject, unused in
      unused.compactMap { index in
        about(rule, subject, index) {
          "the exception for \($0.rule)\($0.place.text.isEmpty ? "" : " in \($0.place.text)") "
            + "accepts nothing"
        }
      }
    })

  /// A finding about one exception.
  static func about(
    _ rule: Rule, _ subject: Subject, _ index: Int,
    _ message: (Configuration.Exception) -> String
  ) -> Finding? {
    guard let configuration = subject.configuration, index < configuration.exceptions.count else {
      return nil
    }
    let exception = configuration.exceptions[index]
    return Finding(
      rule, message(exception), in: subject.kernel, runs: [],
      evidence: [
        "the exception: \(configuration.path):\(exception.line)",
        "its reason: \(exception.reason)",
      ], help: "take the exception out", about: index)
  }
}
