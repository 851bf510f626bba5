/// Says whether a failure of the CPA self-test is one of CPA.
package enum SelfTestJudge {
  /// The bit that a pass of the test changes.
  package enum TestBit: String, Sendable {
    case global, softw1, unknown
  }

  package enum Verdict: String, Sendable {
    case falseAlarm = "false-alarm"
    case realFailure = "real-failure"
    case undetermined
  }

  package enum RunVerdict: String, Sendable {
    case passed, mixed, undetermined
    case falseAlarm = "false-alarm"
    case realFailure = "real-failure"
  }

  package enum Cause: String, Sendable {
    case attributeAlreadyClear = "attribute-already-clear"
    case attributeAlreadySet = "attribute-already-set"
    case notChanged = "not-changed"
    case requestMasked = "request-masked"
    case hypervisorRestored = "hypervisor-restored"
    case patTakenForLarge = "pat-taken-for-large"
    case unmappedMeanwhile = "unmapped-meanwhile"
    case unknown
  }

  /// What is known apart from the log.
  package struct Evidence: Sendable {
    /// The release that the user names.
    package var userRelease: String?
    /// The release that the image names.
    package var imageRelease: String?
    package var directMapBase: UInt64?
    package var pti: Bool?
    package var pge: Bool?
    package var xen: Bool?
    package var tables: Tables?

    package init(
      userRelease: String? = nil, imageRelease: String? = nil, directMapBase: UInt64? = nil,
      pti: Bool? = nil, pge: Bool? = nil, xen: Bool? = nil, tables: Tables? = nil
    ) {
      self.userRelease = userRelease
      self.imageRelease = imageRelease
      self.directMapBase = directMapBase
      self.pti = pti
      self.pge = pge
      self.xen = xen
      self.tables = tables
    }
  }

  /// The kernel's tables as a dump or an image shows them, after the revert.
  package struct Tables: Sendable {
    package struct Leaf: Sendable, Equatable {
      package var entry: UInt64?
      package var isGlobal: Bool?
      package var isLarge: Bool
      package var isPresent: Bool

      package init(entry: UInt64? = nil, isGlobal: Bool?, isLarge: Bool, isPresent: Bool = true) {
        self.entry = entry
        self.isGlobal = isGlobal
        self.isLarge = isLarge
        self.isPresent = isPresent
      }
    }

    /// Finds the leaf that maps an address, nil where none does or the tables cannot tell.
    package var lookup: @Sendable (UInt64) -> Leaf?

    package init(lookup: @escaping @Sendable (UInt64) -> Leaf?) {
      self.lookup = lookup
    }
  }

  package struct FailureJudgement: Sendable, Equatable {
    package var failure: SelfTestFailure
    package var verdict: Verdict
    package var cause: Cause
    /// Plain words, ready to be sent to a list.
    package var explanation: String
  }

  package struct Judgement: Sendable {
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

  private static func judge(
    _ run: SelfTestRun, _ evidence: Evidence, _ found: BitFinding?
  ) -> Judgement {
    var evidence = evidence
    if evidence.xen == nil, run.isXenGuest { evidence.xen = true }
    var notes: [String] = []
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

  private static func verdict(_ run: SelfTestRun, _ failures: [FailureJudgement]) -> RunVerdict {
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

  private static func note(_ error: SelfTestError) -> String {
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

  private static func meaning(_ code: Int64) -> String {
    switch code {
    case -12: " (out of memory)"
    case -22: " (invalid argument)"
    default: ""
    }
  }
}

// MARK: - The test bit

extension SelfTestJudge {
  private static let present: UInt64 = 1 << 0
  private static let large: UInt64 = 1 << 7
  private static let global: UInt64 = 1 << 8
  private static let softw1: UInt64 = 1 << 9

  private struct BitFinding {
    var bit: TestBit
    var source: String
    var release: Release?
  }

  private static func testBit(
    _ run: SelfTestRun, _ evidence: Evidence, _ found: BitFinding?, _ notes: inout [String]
  ) -> BitFinding {
    let releases: [(String, String?)] = [
      ("the release that the log names", run.release),
      ("the release that was given", evidence.userRelease),
      ("the release of the image", evidence.imageRelease),
    ]
    var candidates: [BitFinding] = found.map { [$0] } ?? []
    for case (let origin, let text?) in releases {
      guard let release = Release(text), let (bit, reason) = release.testBit else { continue }
      candidates.append(
        BitFinding(bit: bit, source: "\(origin), \(text): \(reason)", release: release))
    }
    guard var best = candidates.first else {
      return BitFinding(
        bit: .unknown,
        source: "neither the log nor a release tells which bit the test changes")
    }
    for (index, other) in candidates.enumerated() where other.bit != best.bit {
      // The log and the image of one boot name the same release: said once.
      guard !candidates[..<index].contains(where: { $0.release == other.release }) else { continue }
      notes.append("The release disagrees: \(other.bit.rawValue) after \(other.source).")
    }
    if best.release == nil { best.release = candidates.lazy.compactMap(\.release).first }
    return best
  }

  /// Returns what the log's entries and figures, or else the tables, tell of the bit.
  private static func bitInLog(_ run: SelfTestRun, _ evidence: Evidence) -> BitFinding? {
    if run.isEarlyForm {
      return BitFinding(
        bit: .global, source: "the log's strings: the test's first versions, which clear G")
    }
    var isNotGlobal = false
    var isNotSoftw1 = false
    // Entries that only one of the two tests complains about.
    for failure in run.failures {
      if failure.kinds.contains(.badEntry), let entry = failure.entry, entry & present != 0,
        entry & large == 0
      {
        if entry & global == 0 { isNotGlobal = true }
        if entry & softw1 != 0 { isNotSoftw1 = true }
      }
      if let entry = failure.entryAfterRevert, entry & present != 0 {
        if entry & global != 0 { isNotGlobal = true }
        if entry & softw1 == 0 { isNotSoftw1 = true }
      }
    }
    if isNotGlobal != isNotSoftw1 {
      return isNotGlobal
        ? BitFinding(
          bit: .softw1, source: "the log: a test of G would have passed some of these entries")
        : BitFinding(
          bit: .global, source: "the log: a test of bit 9 would have passed some of these entries")
    }
    return bitInStatistics(run) ?? bitInTables(run, evidence)
  }

  private static func bitInStatistics(_ run: SelfTestRun) -> BitFinding? {
    let kept = keptEntries(run)
    guard !kept.isEmpty, let (before, after) = run.statisticsAroundRevert else { return nil }
    // A split 1 GiB entry becomes 512 of 2 MiB.
    let gigabytes = before.gigabyte > after.gigabyte ? before.gigabyte - after.gigabyte : 0
    let larges = before.large > after.large ? before.large - after.large : 0
    // Pages of one large entry may fail more than once; somebody else may split one as well.
    let count = UInt64(kept.count)
    let enough = count / 2 + count % 2
    if gigabytes > 0 || larges > 0 {
      guard gigabytes >= enough || larges >= enough else { return nil }
      return BitFinding(
        bit: .global,
        source: "the log: the failing entries lack G, and the revert split what the change "
          + "did not, so it set G")
    }
    guard before.gigabyte == after.gigabyte, before.large == after.large,
      before.fourK == after.fourK, !run.hasDroppedMessages,
      !run.errors.contains(where: { if case .revert = $0.kind { true } else { false } }),
      !run.failures.contains(where: { $0.kinds.contains(.badEntryAfterRevert) })
    else { return nil }
    return BitFinding(
      bit: .softw1,
      source: "the log: the failing entries lack G, and the revert split none of them, "
        + "so it did not set G")
  }

  /// The large entries of the failures that lack both bits, each once.
  private static func keptEntries(_ run: SelfTestRun) -> Set<UInt64> {
    var entries: Set<UInt64> = []
    for failure in run.failures where failure.kinds.contains(.badEntry) {
      guard let entry = failure.entry, entry & (present | large) == present | large,
        failure.level ?? 0 >= 2
      else { continue }
      if entry & (global | softw1) == 0 { entries.insert(entry) }
    }
    return entries
  }

  private static func bitInTables(_ run: SelfTestRun, _ evidence: Evidence) -> BitFinding? {
    guard let tables = evidence.tables else { return nil }
    var split = 0
    for failure in run.failures {
      guard let entry = failure.entry, failure.kinds.contains(.badEntry),
        entry & (present | large | global | softw1) == present | large, failure.level ?? 2 >= 2,
        let leaf = tables.lookup(failure.address), leaf.isPresent
      else { continue }
      guard !leaf.isLarge, leaf.isGlobal == true else { return nil }
      split += 1
    }
    guard split > 0 else { return nil }
    return BitFinding(
      bit: .global,
      source: "the tables: the failing entries lacked G, and their pages are split and have G now, "
        + "as after the revert of a test of G")
  }

  /// A kernel release as far as the test's history needs it.
  private struct Release: Equatable {
    var major: Int
    var minor: Int
    var patch: Int

    init?(_ text: String) {
      var numbers: [Int] = []
      for part in text.drop(while: { $0 == "v" }).split(separator: ".", maxSplits: 3) {
        let digits = part.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), number < 1_000_000 else { break }
        numbers.append(number)
        if digits.count < part.count { break }
      }
      guard numbers.count >= 2 else { return nil }
      major = numbers[0]
      minor = numbers[1]
      patch = numbers.count > 2 ? numbers[2] : 0
      // There is no 2.6 without a third number.
      if major == 2, numbers.count < 3 { return nil }
    }

    var testBit: (TestBit, String)? {
      if (major, minor, patch) < (2, 6, 25) { return nil }
      if (major, minor, patch) < (2, 6, 27) {
        return (.global, "2.6.25 and 2.6.26 clear _PAGE_GLOBAL (bit 8)")
      }
      return (.softw1, "2.6.27 and later set a software bit (bit 9)")
    }

    var hasLengthDefect: Bool {
      (major, minor) >= (5, 0) && (major, minor) < (6, 15)
    }
  }
}

// MARK: - The size of a leaf

extension SelfTestJudge {
  private enum LeafSize {
    case large, fourK, unknown
    /// The text ends within or after the entry, and its frame does not belong to the address.
    case cutOff
  }

  private static let fixedBases: [UInt64] = [
    0xffff_8100_0000_0000, 0xffff_8800_0000_0000, 0xffff_8880_0000_0000, 0xff11_0000_0000_0000,
    0xc000_0000,
  ]

  /// Returns where the direct map may begin.
  private static func directMapBases(_ run: SelfTestRun, _ evidence: Evidence) -> [UInt64] {
    if let base = evidence.directMapBase { return [base] }
    // KASLR: the entries whose level the log tells show the base.
    var bases: Set<UInt64> = []
    for failure in run.failures where failure.level == 2 && failure.kinds.contains(.badEntry) {
      // Without PAE a large page of 32 bits has 4 MiB.
      guard failure.address >> 32 != 0 else { continue }
      guard let entry = failure.entry, entry & large != 0 else { continue }
      let base = (failure.address & ~0x1f_ffff) &- (entry & 0x000f_ffff_ffe0_0000)
      bases.insert(base)
    }
    return bases.count == 1 ? Array(bases) : fixedBases
  }

  /// Returns whether the entry is large, from the level or from its frame.
  private static func leafSize(
    _ failure: SelfTestFailure, _ run: SelfTestRun, _ bases: [UInt64]
  ) -> LeafSize {
    if failure.kinds.contains(.unexpectedLevel) { return .large }
    guard let entry = failure.entry ?? failure.entryAfterRevert else { return .unknown }
    let frame = entry & 0x000f_ffff_ffff_f000
    for base in bases where failure.address >= base {
      let offset = failure.address - base
      if offset == frame, offset & 0x1f_ffff != 0 || entry & large == 0 { return .fourK }
      // Bit 12 of a large entry is its PAT bit.
      guard entry & (present | large) == present | large else { continue }
      guard !failure.isEntryAtEnd || frame != 0 else { continue }
      for size in sizes(failure.address) where offset & (size - 1) != 0 {
        if offset & ~(size - 1) == frame & ~0x1000, frame & ~0x1000 & (size - 1) == 0 {
          return .large
        }
      }
    }
    if failure.isEntryAtEnd { return .cutOff }
    // A present leaf without bit 7 is one of 4 KiB.
    if entry & large == 0, failure.kinds.contains(.badEntry) { return .fourK }
    // The level line follows at once, so its absence tells something unless the log ends there.
    let isCut = failure.isLastWord || run.hasDroppedMessages
    return failure.kinds.contains(.badEntry) && !isCut ? .fourK : .unknown
  }

  private static func sizes(_ address: UInt64) -> [UInt64] {
    address >> 32 == 0 ? [1 << 21, 1 << 22] : [1 << 21, 1 << 30]
  }
}

// MARK: - The diagnosis

extension SelfTestJudge {
  private struct Finding {
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

  private static func judge(
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

  private static func diagnose(
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
  private static func either(_ finding: Finding) -> String {
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

  private static func words(_ verdict: Verdict) -> String {
    switch verdict {
    case .falseAlarm: "a false alarm"
    case .realFailure: "a real failure"
    case .undetermined: "undetermined"
    }
  }

  private static func worst(_ findings: [Finding]) -> Finding {
    findings.first { $0.verdict == .realFailure }
      ?? findings.first { $0.verdict == .undetermined }
      ?? findings.first ?? .undetermined("The log's lines do not tell what went wrong here.")
  }

  private static let unmapped =
    "The page was not mapped any more when the test looked at it: somebody unmapped it meanwhile "
    + "(debug_pagealloc, memory hot-remove), CPA is not to blame."

  /// Judges the lines that follow the change.
  private static func change(
    _ failure: SelfTestFailure, isLarge: Bool, isGlobal: Bool, _ run: SelfTestRun,
    _ evidence: Evidence
  ) -> Finding? {
    guard failure.kinds.contains(.badEntry) else {
      guard failure.kinds.contains(.unexpectedLevel) else { return nil }
      let isCut = !run.hasHeader && run.failures.first?.address == failure.address
      if isCut || run.hasDroppedMessages {
        return .undetermined("The log has lost the line that shows the entry.")
      }
      return .falseAlarm(
        .unmappedMeanwhile,
        "A large entry that is not present passes the test of its bits and fails that of its "
          + "level: the page was unmapped meanwhile, CPA is not to blame.")
    }
    guard let entry = failure.entry else {
      return .undetermined("The log does not hold the entry, or not as a number.")
    }
    if entry & present == 0 { return .falseAlarm(.unmappedMeanwhile, unmapped) }
    if isLarge, entry & large == 0 {
      return .undetermined(
        "The level says a large page and the entry says none: the two lines contradict each other.")
    }
    return isGlobal
      ? globalChange(entry, isLarge: isLarge, evidence) : softw1Change(entry, isLarge: isLarge)
  }

  private static func globalChange(
    _ entry: UInt64, isLarge: Bool, _ evidence: Evidence
  ) -> Finding {
    switch (isLarge, entry & global != 0) {
    case (true, false):
      return .falseAlarm(
        .attributeAlreadyClear,
        "The test clears _PAGE_GLOBAL, and this large page had none: nothing to change, so CPA "
          + "rightly did not split it. "
          + (evidence.pti == true
            ? "With PTI the direct map has no G by design."
            : "To mend is the mapping that lacks G, not CPA."))
    case (true, true):
      if let reason = maskReason(evidence) {
        return .falseAlarm(
          .requestMasked,
          "The kernel takes _PAGE_GLOBAL out of every request (\(reason)), so nothing was asked "
            + "of CPA.")
      }
      return .realFailure(
        .notChanged,
        "The test asked to clear _PAGE_GLOBAL in one page of this large page; the bit is still "
          + "set and the page not split: the request was not carried out.")
    case (false, true):
      if evidence.xen == true {
        return .falseAlarm(
          .hypervisorRestored,
          "The page is split but G is set again: under Xen the bit belongs to the hypervisor.")
      }
      if evidence.pge == false {
        return .falseAlarm(
          .requestMasked,
          "The kernel takes _PAGE_GLOBAL out of every request (no PGE), so nothing was asked "
            + "of CPA.")
      }
      return .realFailure(
        .notChanged,
        "The page is a 4K page and has kept the G that the test asked to clear"
          + (evidence.xen == nil ? " (under Xen it would be a false alarm)." : "."))
    case (false, false):
      return entry & large != 0
        ? .falseAlarm(.patTakenForLarge, pat)
        : .undetermined("A test of _PAGE_GLOBAL would have passed this entry.")
    }
  }

  private static func softw1Change(_ entry: UInt64, isLarge: Bool) -> Finding {
    switch (isLarge, entry & softw1 != 0) {
    case (true, true):
      return .falseAlarm(
        .attributeAlreadySet,
        "The test sets bit 9, and this large page had it already: nothing to change, so CPA "
          + "rightly did not split it.")
    case (true, false):
      return .realFailure(
        .notChanged,
        "The test asked to set bit 9 in one page of this large page; the bit is not set and the "
          + "page not split: CPA did not act.")
    case (false, true):
      return entry & large != 0
        ? .falseAlarm(.patTakenForLarge, pat)
        : .undetermined("A test of bit 9 would have passed this entry.")
    case (false, false):
      return .realFailure(
        .notChanged, "The page is a 4K page without the bit 9 that the test asked to set.")
    }
  }

  private static let pat =
    "The bit changed as asked and the page is a 4K page; its bit 7 is PAT (a memory type), which "
    + "the test takes for the bit of a large page."

  private static func maskReason(_ evidence: Evidence) -> String? {
    if evidence.xen == true { return "Xen guest" }
    return evidence.pge == false ? "no PGE" : nil
  }

  /// Judges `bad pte after revert`.
  private static func revert(
    _ failure: SelfTestFailure, isGlobal: Bool, _ evidence: Evidence
  ) -> Finding? {
    guard failure.kinds.contains(.badEntryAfterRevert) else { return nil }
    guard let entry = failure.entryAfterRevert else {
      return .undetermined("The log does not hold the entry after the revert.")
    }
    if entry & present == 0 { return .falseAlarm(.unmappedMeanwhile, unmapped) }
    if isGlobal {
      if entry & global != 0 {
        return .undetermined(
          "A test of _PAGE_GLOBAL would have passed this entry after the revert.")
      }
      if let reason = maskReason(evidence) {
        return .falseAlarm(
          .requestMasked,
          "The revert could not set G: the kernel takes it out of every request (\(reason)).")
      }
      if evidence.pge == true, evidence.xen == false {
        return .realFailure(
          .notChanged, "The revert asked to set _PAGE_GLOBAL, and the entry still lacks it.")
      }
      return .undetermined(
        "The revert could not set _PAGE_GLOBAL. Without PGE or under Xen that is a false alarm, "
          + "otherwise a real failure: give --assume pge=… and xen=…")
    }
    guard entry & softw1 != 0 else {
      return .undetermined("A test of bit 9 would have passed this entry after the revert.")
    }
    return .realFailure(
      .notChanged, "The revert asked to clear bit 9, and the entry still has it.")
  }

  /// Judges `level 2 but not PSE`.
  private static func count(_ failure: SelfTestFailure) -> Finding? {
    guard failure.kinds.contains(.notLarge) else { return nil }
    guard let entry = failure.entry else {
      return .undetermined("The log does not hold the entry that is not a large one.")
    }
    return entry & present == 0
      ? .falseAlarm(
        .unmappedMeanwhile,
        "The large page is not mapped; kernels before 5.0 complain of that without cause.")
      : .realFailure(
        .unknown,
        "An entry of this level is present but neither large nor a table: it is damaged.")
  }

  // MARK: - The tables

  /// Holds a finding against what the tables show after the revert.
  private static func compare(
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
