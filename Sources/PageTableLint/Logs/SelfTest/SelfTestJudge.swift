internal import PageTables

/// Says whether a failure of the CPA self-test is one of CPA.
package enum SelfTestJudge {
  /// The bit that a pass of the test changes.
  package enum TestBit: String, Sendable, Codable {
    case global, softw1, unknown

    /// The bit by its number in an entry, for people.
    var inWords: String {
      switch self {
      case .global: "bit 8"
      case .softw1: "bit 9"
      case .unknown: "an unknown bit"
      }
    }
  }

  package enum Verdict: String, Sendable, Codable {
    case falseAlarm = "false-alarm"
    case realFailure = "real-failure"
    case undetermined
  }

  package enum RunVerdict: String, Sendable, Codable {
    case passed, mixed, undetermined
    case falseAlarm = "false-alarm"
    case realFailure = "real-failure"
  }

  package enum Cause: String, Sendable, Codable {
    case attributeAlreadyClear = "attribute-already-clear"
    case attributeAlreadySet = "attribute-already-set"
    case notChanged = "not-changed"
    case requestMasked = "request-masked"
    case hypervisorRestored = "hypervisor-restored"
    case patTakenForLarge = "pat-taken-for-large"
    case unmappedMeanwhile = "unmapped-meanwhile"
    case unknown
  }

  package struct FailureJudgement: Sendable, Equatable, Codable {
    package var failure: SelfTestFailure
    package var verdict: Verdict
    package var cause: Cause
    /// Plain words, ready to be sent to a list.
    package var explanation: String
  }

  package struct Judgement: Sendable, Codable {
    package var run: SelfTestRun
    package var testBit: TestBit
    package var testBitSource: String
    package var result: SelfTestRun.Result
    package var verdict: RunVerdict
    package var failures: [FailureJudgement]
    package var notes: [String]
  }

  /// Judges the passes of a log.
  package static func judge(_ runs: [SelfTestRun], evidence: Evidence = Evidence()) -> [Judgement] {
    // The passes of one boot all change the same bit.
    var bits: [Int: BitFinding] = [:]
    let own = runs.map { run in
      let finding = bitInLog(run, evidence)
      if let finding, bits[run.boot] == nil { bits[run.boot] = finding }
      return finding
    }
    return zip(runs, own).map { run, finding in
      var finding = finding
      if finding == nil, let other = bits[run.boot] {
        finding = BitFinding(
          bit: other.bit, source: "another pass of the same boot: \(other.source)")
      }
      return judge(run, evidence, finding)
    }
  }

  /// Judges one pass.
  package static func judge(_ run: SelfTestRun, evidence: Evidence = Evidence()) -> Judgement {
    judge(run, evidence, bitInLog(run, evidence))
  }

  static func judge(
    _ run: SelfTestRun, _ evidence: Evidence, _ found: BitFinding?
  ) -> Judgement {
    var evidence = evidence
    if evidence.xen == nil, run.isXenGuest { evidence.xen = true }
    var notes: [String] = []
    if evidence.xen == nil, let failure = run.failures.first(where: \.hasXenMark) {
      evidence.xen = true
      notes.append(
        "The entry of \(failure.address.address) has bit 52 and USR, which Xen alone gives to a "
          + "kernel's page: judged as a Xen PV guest's.")
    }
    let bit = testBit(run, evidence, found, &notes)
    let bases = directMapBases(run, evidence)
    let failures = run.failures.map { failure in
      let size = leafSize(failure, run, bases)
      return judge(failure, size, bit.bit, run, evidence)
    }
    notes += run.errors.map(note)
    if bit.bit == .softw1, failures.contains(where: { $0.cause == .notChanged }),
      let release = bit.release, release.hasLengthDefect
    {
      notes.append(
        "Kernels 5.0 to 6.14 without 33ea120582a6 may pass a wrong length in every third test; "
          + "if about a third of the tests fails, look there first.")
    }
    return Judgement(
      run: run, testBit: bit.bit, testBitSource: bit.source, result: run.result,
      verdict: verdict(run, failures), failures: failures, notes: notes)
  }

  static func verdict(_ run: SelfTestRun, _ failures: [FailureJudgement]) -> RunVerdict {
    switch run.result {
    case .passed: return .passed
    case .incomplete: return .undetermined
    case .failed: break
    }
    let verdicts = Set(failures.map(\.verdict))
    if verdicts.contains(.realFailure) {
      return verdicts.contains(.falseAlarm) ? .mixed : .realFailure
    }
    return verdicts == [.falseAlarm] && run.errors.isEmpty ? .falseAlarm : .undetermined
  }

  static func note(_ error: SelfTestError) -> String {
    switch error.kind {
    case .request(let test, let code):
      "Line \(error.line): the request of test \(test) returned \(code)\(meaning(code)); "
        + "the log does not say for which address."
    case .revert(let code):
      "Line \(error.line): a revert returned \(code)\(meaning(code))."
    case .count(let mapped, let expected):
      "Line \(error.line): the kernel's count of its direct map contradicts itself "
        + "(\(mapped) pages mapped, \(expected) added up): an overflow or a wrong level."
    case .noMemory:
      "Line \(error.line): the test found no memory for its bitmap and did not run."
    }
  }

  static func meaning(_ code: Int64) -> String {
    switch code {
    case -12: " (out of memory)"
    case -22: " (invalid argument)"
    default: ""
    }
  }
}

extension SelfTestFailure {
  /// Whether an entry of its has the marks of a Xen PV guest's kernel page.
  ///
  /// Source: `_PAGE_GUEST_KERNEL`, xen/arch/x86/include/asm/x86_64/page.h, Xen 4.17.
  fileprivate var hasXenMark: Bool {
    let marks: UInt64 = 1 << 52 | 1 << 2 | 1
    return [entry, entryAfterRevert].contains { $0.map { $0 & marks == marks } ?? false }
  }
}
