/// What went wrong at one address.
extension SelfTestJudge {
  struct Finding {
    var verdict: Verdict
    var cause: Cause
    var explanation: String

    static func falseAlarm(_ cause: Cause, _ explanation: String) -> Self {
      Self(verdict: .falseAlarm, cause: cause, explanation: explanation)
    }

    static func realFailure(_ cause: Cause, _ explanation: String) -> Self {
      Self(verdict: .realFailure, cause: cause, explanation: explanation)
    }

    static func undetermined(_ explanation: String) -> Self {
      Self(verdict: .undetermined, cause: .unknown, explanation: explanation)
    }
  }

  static func judge(
    _ failure: SelfTestFailure, _ size: LeafSize, _ bit: TestBit, _ run: SelfTestRun,
    _ evidence: Evidence
  ) -> FailureJudgement {
    var finding = diagnose(failure, size, bit, run, evidence)
    if let leaf = evidence.tables?.lookup(failure.address), leaf.isPresent {
      compare(&finding, leaf, failure, bit, evidence)
    }
    return FailureJudgement(
      failure: failure, verdict: finding.verdict, cause: finding.cause,
      explanation: finding.explanation)
  }

  static func diagnose(
    _ failure: SelfTestFailure, _ size: LeafSize, _ bit: TestBit, _ run: SelfTestRun,
    _ evidence: Evidence
  ) -> Finding {
    switch (bit, size) {
    case (_, .cutOff):
      return .undetermined("The log ends at this entry, and digits of it may be missing.")
    case (.unknown, _):
      let asGlobal = diagnose(failure, size, .global, run, evidence)
      let asSoftw1 = diagnose(failure, size, .softw1, run, evidence)
      guard asGlobal.verdict != asSoftw1.verdict else {
        var finding = asSoftw1
        if asGlobal.cause != asSoftw1.cause {
          finding.cause = .unknown
        }
        if asGlobal.explanation != asSoftw1.explanation {
          finding.explanation = either(finding)
        }
        return finding
      }
      return .undetermined(
        "If the test was of _PAGE_GLOBAL (2.6.25, 2.6.26, trees of June 2008), this is "
          + "\(words(asGlobal.verdict)); if of bit 9, \(words(asSoftw1.verdict)). "
          + "Give --release or the complete log.")
    case (_, .unknown):
      let asLarge = diagnose(failure, .large, bit, run, evidence)
      let asFourK = diagnose(failure, .fourK, bit, run, evidence)
      // Bit 7 is nearly always the size; where both agree, the likelier reading names the cause.
      if asLarge.verdict == asFourK.verdict { return asLarge }
      return .undetermined(
        "The log does not tell the page's size here: a large page would make this "
          + "\(words(asLarge.verdict)), a 4K page \(words(asFourK.verdict)).")
    case (.global, _), (.softw1, _):
      return worst(
        [
          change(failure, isLarge: size == .large, isGlobal: bit == .global, run, evidence),
          revert(failure, isGlobal: bit == .global, evidence),
          count(failure),
          failure.kinds.contains(.lookupFailed)
            ? .falseAlarm(.unmappedMeanwhile, unmapped) : nil,
        ].compactMap { $0 })
    }
  }

  /// Explains a verdict that both readings of the test bit give.
  static func either(_ finding: Finding) -> String {
    switch (finding.verdict, finding.cause) {
    case (.realFailure, .notChanged):
      "Whether the test sets bit 9 or clears _PAGE_GLOBAL: the entry is as it was before the "
        + "request, so CPA did not act."
    case (.realFailure, _):
      "Whether the test changes bit 9 or _PAGE_GLOBAL: the entry is not as requested."
    case (.falseAlarm, _):
      "Whether the test changes bit 9 or _PAGE_GLOBAL: the entry is what CPA should have left, "
        + "so it is a false alarm."
    case (.undetermined, _):
      "The log does not tell which bit the test changes, nor enough of this entry. "
        + "Give --release or the complete log."
    }
  }

  static func words(_ verdict: Verdict) -> String {
    switch verdict {
    case .falseAlarm: "a false alarm"
    case .realFailure: "a real failure"
    case .undetermined: "undetermined"
    }
  }

  static func worst(_ findings: [Finding]) -> Finding {
    findings.first { $0.verdict == .realFailure }
      ?? findings.first { $0.verdict == .undetermined }
      ?? findings.first ?? .undetermined("The log's lines do not tell what went wrong here.")
  }

  static let unmapped =
    "The page was not mapped any more when the test looked at it: somebody unmapped it meanwhile "
    + "(debug_pagealloc, memory hot-remove), CPA is not to blame."

  /// Holds a finding against what the tables show after the revert.
  static func compare(
    _ finding: inout Finding, _ leaf: Tables.Leaf, _ failure: SelfTestFailure, _ bit: TestBit,
    _ evidence: Evidence
  ) {
    switch (finding.verdict, finding.cause) {
    case (.falseAlarm, .attributeAlreadyClear), (.falseAlarm, .attributeAlreadySet):
      if !leaf.isLarge {
        if finding.cause == .attributeAlreadyClear, leaf.isGlobal == true {
          finding.explanation +=
            " The tables agree: the revert split the page and set G."
        }
      } else if maskReason(evidence) == nil || bit == .softw1 {
        finding = .undetermined(
          "The log's entry makes this a false alarm, but the revert should then have split the "
            + "page, and the tables show it large: the two contradict each other.")
      }
    case (.realFailure, .notChanged) where leaf.isLarge:
      if failure.kinds.contains(.unexpectedLevel) {
        finding.explanation += " The tables agree: the page is still large."
      }
    case (.falseAlarm, .patTakenForLarge) where leaf.isLarge:
      finding = .undetermined(
        "The log makes this a 4K page, and the tables show a large one: the two contradict each "
          + "other.")
    default:
      break
    }
  }
}
