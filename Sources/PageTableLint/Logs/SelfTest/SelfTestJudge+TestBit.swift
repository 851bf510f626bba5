/// Which bit the test changes.
extension SelfTestJudge {
  static let present: UInt64 = 1 << 0
  static let large: UInt64 = 1 << 7
  static let global: UInt64 = 1 << 8
  static let softw1: UInt64 = 1 << 9

  struct BitFinding {
    var bit: TestBit
    var source: String
    var release: Release?
    /// The release, and who names it: `6.12.117, the release that the log names`.
    var releaseInWords = ""
  }

  static func testBit(
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
        BitFinding(
          bit: bit, source: "\(origin), \(text): \(reason)", release: release,
          releaseInWords: "\(text), \(origin),"))
    }
    guard var best = candidates.first else {
      return BitFinding(
        bit: .unknown,
        source: "neither the log nor a release tells which bit the test changes")
    }
    for (index, other) in candidates.enumerated() where other.bit != best.bit {
      // The log and the image of one boot name the same release: said once.
      guard !candidates[..<index].contains(where: { $0.release == other.release }) else { continue }
      notes.append(disagreement(best, other))
    }
    if best.release == nil { best.release = candidates.lazy.compactMap(\.release).first }
    return best
  }

  /// What a newcomer should make of two sources that tell different bits.
  private static func disagreement(_ best: BitFinding, _ other: BitFinding) -> String {
    let claim = "\(other.releaseInWords) should test \(other.bit.inWords)"
    return best.release == nil
      ? "This kernel tests \(best.bit.inWords), though \(claim): "
        + "it is patched, or the log is another kernel's."
      : "The releases disagree: \(best.releaseInWords) should test \(best.bit.inWords), \(claim)."
  }

  /// Returns what the log's entries and figures, or else the tables, tell of the bit.
  static func bitInLog(_ run: SelfTestRun, _ evidence: Evidence) -> BitFinding? {
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

  static func bitInStatistics(_ run: SelfTestRun) -> BitFinding? {
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
  static func keptEntries(_ run: SelfTestRun) -> Set<UInt64> {
    var entries: Set<UInt64> = []
    for failure in run.failures where failure.kinds.contains(.badEntry) {
      guard let entry = failure.entry, entry & (present | large) == present | large,
        failure.level ?? 0 >= 2
      else { continue }
      if entry & (global | softw1) == 0 { entries.insert(entry) }
    }
    return entries
  }

  static func bitInTables(_ run: SelfTestRun, _ evidence: Evidence) -> BitFinding? {
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
  struct Release: Equatable {
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
