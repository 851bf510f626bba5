import FoundationEssentials
import Testing

import PageTableLint

@Suite struct SelfTestJudgeTests {
  typealias Judge = SelfTestJudge

  /// Returns a complete pass whose failure lines are the given ones.
  private func pass(
    _ lines: String..., larges: [UInt64] = [], revert: String = ""
  ) throws -> SelfTestRun {
    let larges = larges.isEmpty ? [100, 90, 90] : larges
    func figures(_ large: UInt64) -> String {
      " 4k \(512 * (1000 - large)) large \(large) gb 0 x 0[0-0] miss 0\n"
    }
    let text =
      "CPA self-test:\n" + figures(larges[0]) + lines.joined(separator: "\n") + "\n"
      + figures(larges[1]) + revert + "\n" + figures(larges[2]) + "NOT PASSED. Please report.\n"
    let runs = SelfTestLog.parse(text)
    #expect(runs.count == 1)
    return try #require(runs.first)
  }

  private func large(_ entry: String) -> String {
    "CPA ffff880012345000: bad pte \(entry)\nCPA ffff880012345000: unexpected level 2"
  }

  private func fourK(_ entry: String) -> String { "CPA ffff880012345000: bad pte \(entry)" }

  private func expect(
    _ run: SelfTestRun, _ evidence: Judge.Evidence, _ verdict: Judge.Verdict, _ cause: Judge.Cause,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let failure = try #require(Judge.judge(run, evidence: evidence).failures.first)
    #expect(failure.verdict == verdict, sourceLocation: sourceLocation)
    #expect(failure.cause == cause, sourceLocation: sourceLocation)
    #expect(!failure.explanation.isEmpty, sourceLocation: sourceLocation)
  }

  private let old = Judge.Evidence(userRelease: "2.6.26")
  private let new = Judge.Evidence(userRelease: "6.12.117")

  // MARK: - The diagnosis table

  @Test func largeWithoutGlobal() throws {
    let run = try pass(large("122000e3"), larges: [100, 90, 89])
    try expect(run, old, .falseAlarm, .attributeAlreadyClear)
    #expect(Judge.judge(run, evidence: old).verdict == .falseAlarm)
  }

  @Test func largeWithGlobal() throws {
    let run = try pass(large("122001e3"))
    try expect(run, old, .realFailure, .notChanged)
    var evidence = old
    evidence.pge = false
    try expect(run, evidence, .falseAlarm, .requestMasked)
    evidence.pge = nil
    evidence.xen = true
    try expect(run, evidence, .falseAlarm, .requestMasked)
  }

  @Test func splitWithGlobal() throws {
    let run = try pass(fourK("12345163"))
    try expect(run, old, .realFailure, .notChanged)
    var evidence = old
    evidence.xen = true
    try expect(run, evidence, .falseAlarm, .hypervisorRestored)
    evidence = old
    evidence.pge = false
    try expect(run, evidence, .falseAlarm, .requestMasked)
  }

  @Test func afterRevertWithoutGlobal() throws {
    let run = try pass("", revert: "CPA ffff880012345000: bad pte after revert 12345063")
    try expect(run, old, .undetermined, .unknown)
    var evidence = old
    evidence.pge = false
    try expect(run, evidence, .falseAlarm, .requestMasked)
    evidence.pge = true
    evidence.xen = true
    try expect(run, evidence, .falseAlarm, .requestMasked)
    evidence.xen = false
    try expect(run, evidence, .realFailure, .notChanged)
  }

  @Test func largeWithTestBit() throws {
    try expect(try pass(large("122003e3")), new, .falseAlarm, .attributeAlreadySet)
  }

  @Test func largeWithoutTestBit() throws {
    let run = try pass(large("122001e3"))
    try expect(run, new, .realFailure, .notChanged)
    #expect(Judge.judge(run, evidence: new).testBit == .softw1)
    #expect(Judge.judge(run, evidence: new).verdict == .realFailure)
  }

  @Test func splitWithoutTestBit() throws {
    try expect(try pass(fourK("8000000012345163")), new, .realFailure, .notChanged)
  }

  @Test func afterRevertWithTestBit() throws {
    let revert = "CPA ffff880054118000: bad pte after revert 8000000054118363"
    try expect(try pass("", revert: revert), new, .realFailure, .notChanged)
  }

  @Test func levelAlone() throws {
    let run = try pass("CPA ffff880012345000: unexpected level 2")
    try expect(run, old, .falseAlarm, .unmappedMeanwhile)
    try expect(run, new, .falseAlarm, .unmappedMeanwhile)
    try expect(run, Judge.Evidence(), .falseAlarm, .unmappedMeanwhile)
    let cut = try #require(
      SelfTestLog.parse("CPA ffff880012345000: unexpected level 2\n").first)
    try expect(cut, new, .undetermined, .unknown)
  }

  @Test func patOfASmallPage() throws {
    try expect(try pass(fourK("123453fb")), new, .falseAlarm, .patTakenForLarge)
    try expect(try pass(fourK("123450fb")), old, .falseAlarm, .patTakenForLarge)
  }

  @Test func unmapped() throws {
    for evidence in [old, new, Judge.Evidence()] {
      try expect(try pass(fourK("0")), evidence, .falseAlarm, .unmappedMeanwhile)
      try expect(
        try pass(fourK("0") + "\nCPA ffff880012345000: unexpected level 0"), evidence, .falseAlarm,
        .unmappedMeanwhile)
      try expect(try pass(fourK("8000000059990060")), evidence, .falseAlarm, .unmappedMeanwhile)
      try expect(
        try pass("", revert: "CPA lookup of ffff880012345000 failed"), evidence, .falseAlarm,
        .unmappedMeanwhile)
    }
  }

  @Test func notLarge() throws {
    try expect(
      try pass("ffff880000400000 level 2 but not PSE 1063"), new, .realFailure, .unknown)
    try expect(
      try pass("ffff880000400000 level 2 but not PSE 400060"), old, .falseAlarm, .unmappedMeanwhile)
  }

  @Test func countAlone() throws {
    let run = try pass("CPA max_pfn_mapped 262144 but expected 262143")
    let judgement = Judge.judge(run, evidence: new)
    #expect(judgement.result == .failed && judgement.verdict == .undetermined)
    #expect(judgement.notes.contains { $0.contains("contradicts itself") })
  }

  @Test func wrongLengthOfTheTest() throws {
    let run = try pass(large("122001e3"))
    #expect(Judge.judge(run, evidence: new).notes.contains { $0.contains("33ea120582a6") })
    for release in ["4.19", "6.15.2"] {
      let evidence = Judge.Evidence(userRelease: release)
      #expect(Judge.judge(run, evidence: evidence).notes.isEmpty)
    }
  }

  // MARK: - The test bit

  @Test(arguments: [
    ("2.6.25", Judge.TestBit.global), ("2.6.25-rc3", .global), ("2.6.26.8", .global),
    ("v2.6.26-rc8-tip", .global), ("2.6.27-rc1", .softw1), ("2.6.32-5-amd64", .softw1),
    ("3.2", .softw1), ("6.12.117", .softw1), ("6.12-rc1", .softw1), ("2.6.24", .unknown),
    ("2.6", .unknown), ("", .unknown), ("next", .unknown), ("2.4.37", .unknown),
  ])
  func bitOfRelease(_ release: String, _ bit: Judge.TestBit) throws {
    let run = try pass(large("122001e3"))
    let judgement = Judge.judge(run, evidence: Judge.Evidence(userRelease: release))
    #expect(judgement.testBit == bit)
    #expect(judgement.verdict == .realFailure)
    #expect(Judge.judge(run, evidence: Judge.Evidence(imageRelease: release)).testBit == bit)
  }

  @Test func orderOfEvidence() throws {
    let run = try pass(large("122000e3"), larges: [100, 100, 99])
    let judgement = Judge.judge(
      run, evidence: Judge.Evidence(userRelease: "6.12.1", imageRelease: "6.12.2"))
    #expect(judgement.testBit == .global && judgement.verdict == .falseAlarm)
    #expect(judgement.notes.count == 2)
    let silent = try #require(SelfTestLog.parse(large("122000e3") + "\n").first)
    let two = Judge.judge(
      silent, evidence: Judge.Evidence(userRelease: "2.6.26", imageRelease: "6.12.1"))
    #expect(two.testBit == .global && two.verdict == .falseAlarm && two.notes.count == 1)
    #expect(two.testBitSource.contains("2.6.26"))
  }

  @Test func revertThatSplitsNothing() throws {
    // A real failure under PTI: the entries lack G, and so does everything else.
    let run = try pass(large("80000000122000e3"))
    let judgement = Judge.judge(run)
    #expect(judgement.testBit == .softw1 && judgement.verdict == .realFailure)
  }

  @Test func splitBySomebodyElse() throws {
    // Eight kept entries, and one large page fewer: not the revert's doing.
    let lines = (0..<8).map { index in
      "CPA ffff8800\(index)2345000: bad pte \(index)22000e3\n"
        + "CPA ffff8800\(index)2345000: unexpected level 2"
    }
    let run = try pass(lines.joined(separator: "\n"), larges: [100, 90, 89])
    #expect(Judge.judge(run).testBit == .unknown)
    #expect(Judge.judge(run).verdict == .undetermined)
    #expect(
      Judge.judge(try pass(lines.joined(separator: "\n"), larges: [100, 90, 82])).testBit == .global
    )
  }

  @Test func entriesThatOneTestWouldPass() throws {
    #expect(Judge.judge(try pass(fourK("12345063"))).testBit == .softw1)
    #expect(Judge.judge(try pass(fourK("12345363"))).testBit == .global)
    #expect(Judge.judge(try pass(fourK("12345163"))).testBit == .unknown)
    #expect(Judge.judge(try pass(fourK("12345163"))).verdict == .realFailure)
  }

  @Test func silentPassOfTheSameBoot() throws {
    let text =
      "CPA ffff880012345000: bad pte 122000e3\nCPA ffff880012345000: unexpected level 2\n"
      + "NOT PASSED. Please report.\n"
    let first = """
      CPA self-test:
       4k 0 large 100 gb 0 x 0[0-0] miss 0
      \(text.split(separator: "\n").prefix(2).joined(separator: "\n"))
       4k 0 large 100 gb 0 x 0[0-0] miss 0
       4k 512 large 99 gb 0 x 0[0-0] miss 0

      """
    let judgements = Judge.judge(SelfTestLog.parse(first + text))
    #expect(judgements.map(\.testBit) == [.global, .global])
    #expect(judgements.map(\.verdict) == [.falseAlarm, .falseAlarm])
  }

  @Test func verdictsOfRuns() throws {
    let second = "CPA ffff880022345000: bad pte 222001e3\nCPA ffff880022345000: unexpected level 2"
    let mixed = try pass(large("122000e3"), second, larges: [100, 90, 89])
    #expect(Judge.judge(mixed, evidence: old).verdict == .mixed)
    let error = try pass(large("122000e3"), "CPA 3 failed -12", larges: [100, 100, 99])
    #expect(Judge.judge(error).verdict == .undetermined)
    let passed = SelfTestLog.parse(
      "CPA self-test:\n 4k 1 large 1 gb 0 x 0[0-0] miss 0\nok.\n")
    #expect(Judge.judge(passed).map(\.verdict) == [.passed])
    let cut = SelfTestLog.parse("CPA self-test:\n")
    #expect(Judge.judge(cut).map(\.verdict) == [.undetermined])
    #expect(Judge.judge(cut).map(\.result) == [.incomplete])
  }

  // MARK: - Sizes without a level line

  @Test(arguments: [
    ("ffff880012345000", "122000e3"), ("ffff810012345000", "122000e3"),
    ("ffff888012345000", "122000e3"), ("ff11000012345000", "122010e3"),
    ("ffff880052345000", "400000e3"),
  ])
  func largeByFrame(_ address: String, _ entry: String) throws {
    let run = try #require(SelfTestLog.parse("CPA \(address): bad pte \(entry)\n").first)
    try expect(run, old, .falseAlarm, .attributeAlreadyClear)
    try expect(run, new, .realFailure, .notChanged)
  }

  @Test func cutWithinTheEntry() throws {
    let line = "CPA ffff880012345000: bad pte 80000000122000e3"
    for count in 1...15 {
      let run = try #require(SelfTestLog.parse(String(line.dropLast(count))).first)
      #expect(run.result == .failed)
      try expect(run, old, .undetermined, .unknown)
      try expect(run, new, .undetermined, .unknown)
    }
    let whole = try #require(SelfTestLog.parse(line).first)
    try expect(whole, old, .falseAlarm, .attributeAlreadyClear)
    let other = try #require(SelfTestLog.parse("CPA ffff900012345000: bad pte 122000e3").first)
    try expect(other, old, .undetermined, .unknown)
  }

  @Test func sizeUnknown() throws {
    // The frame does not belong to the address, and the log ends: bit 7 may be PAT.
    let run = try #require(
      SelfTestLog.parse("CPA ffff900012345000: bad pte 122003e3\n").first)
    try expect(run, new, .falseAlarm, .attributeAlreadySet)
    let other = try #require(
      SelfTestLog.parse("CPA ffff900012345000: bad pte 122001e3\n").first)
    try expect(other, new, .realFailure, .notChanged)
    // With the direct map's base it is large for sure.
    var evidence = new
    evidence.directMapBase = 0xffff_9000_0000_0000
    try expect(other, evidence, .realFailure, .notChanged)
  }

  @Test func baseFromTheOtherLines() throws {
    let run = try #require(
      SelfTestLog.parse(
        """
        CPA ffff9f4912345000: bad pte 122000e3
        CPA ffff9f4912345000: unexpected level 2
        CPA ffff9f4922345000: bad pte 222000e3
        CPA ffff9f4932345000: bad pte 323450fb
         4k 1 large 1 gb 0 x 0[0-0] miss 0
        """
      ).first)
    #expect(
      Judge.judge(run, evidence: old).failures.map(\.cause)
        == [.attributeAlreadyClear, .attributeAlreadyClear, .patTakenForLarge])
  }

  // MARK: - The tables

  private func tables(large: Bool, global: Bool, present: Bool = true) -> Judge.Tables {
    Judge.Tables { _ in Judge.Tables.Leaf(isGlobal: global, isLarge: large, isPresent: present) }
  }

  @Test func tablesAgree() throws {
    let run = try pass(large("122000e3"), larges: [100, 100, 99])
    var evidence = Judge.Evidence()
    evidence.tables = tables(large: false, global: true)
    try expect(run, evidence, .falseAlarm, .attributeAlreadyClear)
    let real = try pass(large("122001e3"))
    evidence = new
    evidence.tables = tables(large: true, global: true)
    try expect(real, evidence, .realFailure, .notChanged)
    #expect(Judge.judge(real, evidence: evidence).failures[0].explanation.contains("agree"))
    // A page that somebody split later does not unmake the failure.
    evidence.tables = tables(large: false, global: true)
    try expect(real, evidence, .realFailure, .notChanged)
  }

  @Test func tablesContradict() throws {
    let run = try pass(large("122000e3"), larges: [100, 100, 99])
    var evidence = Judge.Evidence()
    evidence.tables = tables(large: true, global: false)
    try expect(run, evidence, .undetermined, .unknown)
    // Where no request for G gets through, the revert splits nothing either.
    evidence.pge = false
    try expect(run, evidence, .falseAlarm, .attributeAlreadyClear)
    // A page that is not mapped now, or is beyond the dump, tells nothing.
    evidence.pge = nil
    evidence.tables = tables(large: true, global: false, present: false)
    try expect(run, evidence, .falseAlarm, .attributeAlreadyClear)
    evidence.tables = Judge.Tables { _ in nil }
    try expect(run, evidence, .falseAlarm, .attributeAlreadyClear)
  }

  @Test func tablesTellTheBit() throws {
    let cut = try #require(SelfTestLog.parse(large("122000e3") + "\n").first)
    try expect(cut, Judge.Evidence(), .undetermined, .unknown)
    var evidence = Judge.Evidence(imageRelease: "6.12.117")
    evidence.tables = tables(large: false, global: true)
    try expect(cut, evidence, .falseAlarm, .attributeAlreadyClear)
    evidence.tables = tables(large: true, global: false)
    try expect(cut, evidence, .realFailure, .notChanged)
  }

  // MARK: - Logs as real kernels print them

  @Test(arguments: [
    ("ffff888025127000", "250000e3", [746, 654, 475] as [UInt64], Judge.RunVerdict.falseAlarm),
    ("ffff9f490b2f0000", "800000000b2000e3", [124, 124, 7], .falseAlarm),
    ("ffff8fa68ac3c000", "800000000ac001e3", [96, 28, 28], .realFailure),
  ])
  func realLogs(
    _ address: String, _ entry: String, _ larges: [UInt64], _ verdict: Judge.RunVerdict
  ) throws {
    let lines = "CPA \(address): bad pte \(entry)\nCPA \(address): unexpected level 2"
    let run = try pass(lines, larges: larges)
    let isReal = verdict == .realFailure
    let tables = tables(large: isReal, global: true)
    // The log alone, with a text dump, with an image, with a release: one verdict.
    for evidence in [
      Judge.Evidence(), Judge.Evidence(tables: tables), new,
      Judge.Evidence(imageRelease: "6.12.117", pge: true, xen: false, tables: tables),
    ] {
      let judgement = Judge.judge(run, evidence: evidence)
      #expect(judgement.verdict == verdict)
      #expect(judgement.failures.map(\.cause) == [isReal ? .notChanged : .attributeAlreadyClear])
      if !isReal { #expect(judgement.testBit == .global) }
    }
    #expect(Judge.judge(run, evidence: new).testBit == (isReal ? .softw1 : .global))
  }

  // MARK: - The mail of 2008

  /// A mail of the same shape as that of 2008: no-break spaces, quote marks, broken lines.
  private let mail = """
    Somebody wrote:
    > test machine found this (CPA self-test failure):
    >
    > [    31.000001] CPA self-test:
    > [    31.000002]   4k 1024 large 510 gb 0 x 1534[
    ffff880000000000-
    ffff88003fe00000] miss 0
    > [    31.100000] CPA 
    ffff880011145000: bad pte 
    110000e3
    > [    31.100001] CPA 
    ffff880011145000: unexpected level 2
    > [    31.200000] CPA 
    ffff880022256000: bad pte 
    222000e3
    >
    > more at:
    >
    >   http://example.org/log
    Well.  It is a false alarm.
        * The CPA test attempts to clear _PAGE_GLOBAL, and then checks that it
          is gone and that's
    ok.
    """

  @Test func mailOf2008() throws {
    for blank in [" ", "\u{a0}"] {
      let text = mail.replacing(" ", with: blank)
      let runs = SelfTestLog.parse(text)
      #expect(runs.count == 1)
      let run = try #require(runs.first)
      #expect(run.statistics.map(\.executable) == [1534])
      #expect(run.failures.map(\.entry) == [0x1100_00e3, 0x2220_00e3])
      #expect(run.failures.map(\.level) == [2, nil])
      #expect(run.result == .failed && !run.saidPassed)
      try judgeMail(run)
    }
  }

  private func judgeMail(_ run: SelfTestRun) throws {
    let known = Judge.judge(run, evidence: old)
    #expect(known.testBit == .global && known.verdict == .falseAlarm)
    #expect(known.failures.allSatisfy { $0.cause == .attributeAlreadyClear })
    #expect(known.failures.allSatisfy { $0.verdict == .falseAlarm })
    let unknown = Judge.judge(run)
    #expect(unknown.testBit == .unknown && unknown.verdict == .undetermined)
    for failure in unknown.failures {
      #expect(failure.verdict == .undetermined && failure.cause == .unknown)
      #expect(failure.explanation.contains("_PAGE_GLOBAL"))
      #expect(failure.explanation.contains("--release"))
    }
  }

  private static func shared(_ name: String) -> String? {
    var path = #filePath.split(separator: "/").dropLast()
    while !path.isEmpty {
      path.removeLast()
      let file = "/" + (path + ["shared"]).joined(separator: "/") + "/" + name
      if let data = try? Data(contentsOf: URL(filePath: file)) {
        return String(decoding: data, as: UTF8.self)
      }
    }
    return nil
  }

  @Test(
    .enabled(
      if: shared("seed-mail.txt") != nil,
      "SKIPPED: ../shared/seed-mail.txt is not here, so the mail of 2008 itself is not read"))
  func mailItself() throws {
    let runs = SelfTestLog.parse(try #require(Self.shared("seed-mail.txt")))
    #expect(runs.count == 1)
    let run = try #require(runs.first)
    #expect(run.statistics.count == 1)
    #expect(run.statistics[0].fourK == 2048 && run.statistics[0].large == 508)
    #expect(run.statistics[0].last == 0xffff_8800_3fe0_0000)
    #expect(
      run.failures.map(\.address) == [
        0xffff_8800_1d54_e000, 0xffff_8800_22c5_d000, 0xffff_8800_200c_e000, 0xffff_8800_210f_0000,
      ])
    #expect(run.failures.map(\.entry) == [0x1d40_00e3, 0x22c0_00e3, 0x2000_00e3, 0x2100_00e3])
    #expect(run.failures.map(\.level) == [2, 2, 2, nil])
    #expect(run.failures[0].lines == [8, 11])
    try judgeMail(run)
  }

  @Test(
    .enabled(
      if: shared("real-dumps/x86-cpa-selftest-ok-2008.txt") != nil,
      "SKIPPED: ../shared/real-dumps is not here"))
  func logsOf2008() throws {
    let ok = SelfTestLog.parse(try #require(Self.shared("real-dumps/x86-cpa-selftest-ok-2008.txt")))
    #expect(Judge.judge(ok).map(\.verdict) == [.passed])
    #expect(ok.first?.statistics.map(\.large) == [2528, 2199, 2199])
    let hang = SelfTestLog.parse(
      try #require(Self.shared("real-dumps/x86-cpa-selftest-hang-2008.txt")))
    #expect(Judge.judge(hang).map(\.result) == [.incomplete])
  }
}
