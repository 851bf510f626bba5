import Foundation
import KernelText
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// What must be said of each real capture, from the image, from the text and from the log alone.
@Suite struct SampleTests {
  private func imageReport(_ sample: String) throws -> Linter.Report {
    var subject = Subject(image: try Samples.image(sample))
    let log = try #require(subject.image?.log?.value)
    #expect(subject.take(log: log, userRelease: nil) == nil)
    return Linter.run(subject)
  }

  private func textSubject(_ sample: String) throws -> Subject {
    let bytes = Array(try Samples.text(sample, "kernel.txt").utf8)
    return try Subject(text: KernelText.parse(bytes.span), path: "kernel.txt")
  }

  private func textReport(_ sample: String) throws -> Linter.Report {
    var subject = try textSubject(sample)
    #expect(subject.take(log: try Samples.text(sample, "kernel.log"), userRelease: nil) == nil)
    return Linter.run(subject)
  }

  /// The addresses that a log's `bad pte` lines name.
  private func addresses(_ sample: String) throws -> Int {
    let lines = try Samples.text(sample, "kernel.log").split(separator: "\n").filter {
      $0.contains(": bad pte ")
    }
    return Set(lines.compactMap { $0.split(separator: " ").first { $0.hasSuffix(":") } }).count
  }

  private func ids(_ report: Linter.Report, from severity: Severity = .warning) -> [String] {
    report.findings.filter { $0.severity >= severity }.map(\.rule.id).sorted()
  }

  @Test(arguments: Samples.healthy)
  func healthyIsFreeOfFindings(_ sample: String) throws {
    for report in [try imageReport(sample), try textReport(sample)] {
      // Their self-test split most of the direct map, and nothing joins it again; and it prints a
      // line of its own.
      #expect(ids(report, from: .note) == ["PT304", "PT804"])
      #expect(ids(report) == [])
      #expect(!report.isIncomplete)
      #expect(report.status(failOn: .warning, allowIncomplete: false) == 0)
      #expect(report.subject.selfTests.map(\.verdict) == [.passed])
    }
  }

  /// Symptom, cause and fix of each incident, as `check` prints them.
  @Test(arguments: [
    (
      "cpa-2008",
      [
        "CPA self-test: false-alarm, 201 addresses",
        "nothing to change, so CPA rightly did not split it",
        "the cause is PT201: set _PAGE_GLOBAL in level2_ident_pgt",
      ]
    ),
    (
      "cpa-pti",
      [
        "CPA self-test: false-alarm, 256 addresses", "With PTI the direct map has no G by design",
        "PT203 is what the test left behind, no defect",
      ]
    ),
    (
      "real-failure",
      [
        "CPA self-test: real-failure, 30 addresses", "CPA did not act",
        "help: look at __should_split_large_page",
      ]
    ),
  ])
  func storyOfAnIncident(_ sample: String, _ words: [String]) throws {
    let text = TextReport.check(
      [try imageReport(sample)], detail: .normal, style: TextStyle(color: false))
    for word in words { #expect(text.contains(word), "\(word)") }
    // The input is named once, above what is found in it.
    let path = try imageReport(sample).subject.path
    #expect(text.hasPrefix("\(path):\n") && text.components(separatedBy: path).count == 2)
  }

  @Test func falseAlarmOf2008() throws {
    let report = try imageReport("cpa-2008")
    #expect(ids(report) == ["PT004", "PT201"])
    let finding = try #require(report.findings.first { $0.rule.id == "PT201" })
    #expect(finding.message.contains("first GiB of the direct map"))
    #expect(finding.start == 0xffff_8880_0000_0000)
    #expect(finding.end == 0xffff_8880_4000_0000)
    #expect(finding.help.contains("level2_ident_pgt"))
    let test = try #require(report.subject.selfTests.first)
    #expect(test.verdict == .falseAlarm)
    #expect(try test.failures.count == addresses("cpa-2008"))
    #expect(test.failures.allSatisfy { $0.cause == .attributeAlreadyClear })
    #expect(ids(try textReport("cpa-2008")) == ["PT004", "PT201"])
  }

  @Test func falseAlarmUnderPTI() throws {
    let report = try imageReport("cpa-pti")
    #expect(ids(report, from: .note) == ["PT203", "PT804"])
    #expect(ids(report) == [])
    let test = try #require(report.subject.selfTests.first)
    #expect(test.verdict == .falseAlarm)
    #expect(try test.failures.count == addresses("cpa-pti"))
    #expect(test.failures.allSatisfy { $0.verdict == .falseAlarm })
  }

  /// Tables alone do not tell the test's residue from a kernel that does not mask G.
  @Test func residueWithoutALogIsNoAccusation() throws {
    var image = Subject(image: try Samples.image("cpa-pti"))
    image.log = nil
    let text = try textSubject("cpa-pti")
    for subject in [image, text] {
      let report = Linter.run(subject)
      #expect(ids(report, from: .note) == ["PT203"])
      let finding = try #require(report.findings.first)
      #expect(finding.severity == .note)
      #expect(finding.message.contains("self-test's revert, or a kernel"))
      #expect(finding.help.contains("--log"))
      // A log of the same boot without a test that clears G decides.
      var other = subject
      #expect(other.take(log: "Linux version 6.12.117 (made)\n", userRelease: nil) == nil)
      let accused = Linter.run(other)
      #expect(ids(accused) == ["PT203"])
      #expect(accused.count(.error) == 1)
    }
  }

  @Test func realFailure() throws {
    let report = try imageReport("real-failure")
    #expect(ids(report) == ["PT301"])
    let test = try #require(report.subject.selfTests.first)
    #expect(test.verdict == .realFailure)
    #expect(try test.failures.count == addresses("real-failure"))
    #expect(test.failures.allSatisfy { $0.verdict == .realFailure && $0.cause == .notChanged })
  }

  @Test func writableExecutable() throws {
    for report in [try imageReport("writable-executable"), try textReport("writable-executable")] {
      #expect(ids(report) == ["PT001"])
      let finding = try #require(report.findings.first)
      #expect(finding.pages == 3)
      #expect(finding.area == "vmalloc")
    }
  }

  @Test(arguments: Samples.all)
  func verdictsAreTheSameFromEachSource(_ sample: String) throws {
    let runs = SelfTestLog.parse(try Samples.text(sample, "kernel.log"))
    func verdicts(_ evidence: SelfTestJudge.Evidence) -> [String] {
      SelfTestJudge.judge(runs, evidence: evidence).flatMap { test in
        [test.verdict.rawValue]
          + test.failures.map { "\($0.failure.address.hex()) \($0.verdict) \($0.cause)" }
      }
    }
    let log = verdicts(SelfTestJudge.Evidence())
    #expect(log == verdicts(try textSubject(sample).evidence(userRelease: nil)))
    #expect(log == verdicts(Subject(image: try Samples.image(sample)).evidence(userRelease: nil)))
  }

  /// Captures that were taken before the self-test, or of kernels without it.
  private static let withoutLine = [
    "nogbpages", "stock-73-5level", "stock-73-pti", "userland-1g",
  ]

  @Test(arguments: Samples.images.filter { !withoutLine.contains($0) })
  func statisticLineIsTheKernelsLast(_ sample: String) throws {
    let subject = Subject(image: try Samples.image(sample))
    let line = DirectMapStatistics(
      subject.kernel, pages: subject.facts.maxPfnMapped?.value
    ).line
    let log = try #require(subject.image?.log?.value)
    let last = log.split(separator: "\n").last { $0.contains(" gb ") }
    #expect(try #require(last).hasSuffix(" " + line))
  }

  @Test func aLogOfAnotherBootIsRefused() throws {
    var subject = Subject(image: try Samples.image("healthy"))
    let reason = subject.take(log: try Samples.text("real-failure", "kernel.log"), userRelease: nil)
    #expect(reason != nil)
    #expect(subject.selfTests.isEmpty)
  }

  /// Images without a checksum, in the shapes that other programs write: the same findings.
  @Test(arguments: Samples.healthy + ["cpa-2008"], RawImage.Shape.allCases)
  func eachShapeSaysTheSame(_ sample: String, _ shape: RawImage.Shape) throws {
    let image = try Samples.image(sample)
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-shape-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(RawImage.make(image, shape)).write(to: URL(filePath: path))
    let raw = try KernelImage(ImageFile.open(path: path))
    #expect(raw.problems == [])
    #expect(raw.facts.physBase?.value == image.facts.physBase?.value)
    #expect(raw.facts.pti?.value == image.facts.pti?.value)
    #expect(raw.root == image.root)
    #expect(raw.symbols?.count == image.symbols?.count)
    func findings(_ image: KernelImage) -> [String] {
      Linter.run(Subject(image: image)).findings.map { "\($0.rule.id) \($0.start) \($0.end)" }
    }
    #expect(findings(raw) == findings(image))
  }
}
