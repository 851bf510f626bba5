import Foundation
import KernelImages
import PageTableLint
import Support
import Testing

/// The CPA self-test in a dom0: that of 2008 clears _PAGE_GLOBAL, which Xen's guests never have.
@Suite struct XenSelfTestTests {
  private static let sample = "xen/cpa-2008"

  /// Each address that the log names is a false alarm, for the reason that Xen is.
  private static func expectFalseAlarm(
    _ tests: [SelfTestJudge.Judgement], of log: String, atLeast fewest: Int
  ) throws {
    let failures = log.split(separator: "\n").count { $0.contains("bad pte after revert") }
    #expect(failures >= fewest)
    let failed = tests.filter { $0.verdict != .passed }
    #expect(!failed.isEmpty && failed.allSatisfy { $0.verdict == .falseAlarm })
    #expect(failed.flatMap(\.failures).count == failures)
    for failure in failed.flatMap(\.failures) {
      #expect(failure.verdict == .falseAlarm && failure.cause == .requestMasked)
      #expect(failure.explanation.contains("Xen"))
    }
  }

  @Test func theLogAloneIsAFalseAlarm() throws {
    let log = try Samples.text(Self.sample, "kernel.log")
    try Self.expectFalseAlarm(SelfTestJudge.judge(SelfTestLog.parse(log)), of: log, atLeast: 273)
  }

  /// Nothing in them names Xen but the entries.
  @Test func itsLastLinesAreAFalseAlarm() throws {
    let lines = try Samples.text(Self.sample, "kernel.log").split(separator: "\n")
    let log = lines.suffix(50).joined(separator: "\n")
    #expect(!log.contains("Xen"))
    try Self.expectFalseAlarm(SelfTestJudge.judge(SelfTestLog.parse(log)), of: log, atLeast: 20)
  }

  @Test(arguments: [nil, 50]) func withTheDumpItIsAFalseAlarm(last: Int?) throws {
    var subject = Subject(image: try Samples.image(Self.sample))
    let lines = try Samples.text(Self.sample, "kernel.log").split(separator: "\n")
    let log = lines.suffix(last ?? lines.count).joined(separator: "\n")
    #expect(subject.take(log: log, userRelease: nil) == nil)
    try Self.expectFalseAlarm(subject.selfTests, of: log, atLeast: last == nil ? 273 : 20)
    #expect(Linter.run(subject).findings.filter { $0.severity > .note }.map(\.rule.id) == [])
  }

  /// The test as it is shipped changes a bit that is the kernel's own.
  @Test func theShippedTestPasses() throws {
    let log = try Samples.text("xen/cpa", "kernel.log")
    let tests = SelfTestJudge.judge(SelfTestLog.parse(log))
    #expect(!tests.isEmpty && tests.allSatisfy { $0.verdict == .passed && $0.testBit == .softw1 })
    #expect(log.contains("kernel on Xen"))
  }
}
