import FaultInjection
import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Findings that are known do not count, new ones do, and what has gone is said.
@Suite struct BaselineTests {
  private func report(_ sample: String, _ rules: [Rule] = Rule.all) throws -> Linter.Report {
    Linter.run(Subject(image: try Samples.image(sample)), rules: rules)
  }

  private func result(_ reports: [Linter.Report], _ baseline: Baseline) -> CheckResult {
    CheckResult(
      reports, failOn: .note, allowIncomplete: false, version: "0.1.0", baseline: baseline)
  }

  private func text(_ result: CheckResult, _ detail: TextReport.Detail = .normal) throws -> String {
    try CheckFormat.text.report(result, detail: detail, style: TextStyle(color: false))
  }

  @Test func theFileHoldsWhatWasFound() throws {
    let report = try report("cpa-2008")
    let baseline = Baseline([report, report])
    #expect(baseline.entries.count == report.findings.count && report.findings.count == 3)
    let json = try baseline.json()
    #expect(try SchemaTests().validate([Data(json.utf8)], "baseline") == ["valid"])
    #expect(try Baseline(json: Array(json.utf8), path: "b") == baseline)
    let lines = json.split(separator: "\n").filter { $0.contains("PT") }
    #expect(lines.count == 3)
    #expect(lines.contains { $0.contains("error: global-mixed, direct map: the first GiB") })
    // No address, which the next boot would have elsewhere.
    #expect(!json.contains("ffff"))
    for bad in [
      "", "[]", "{}", json.replacing("\"schemaVersion\" : 1", with: "\"schemaVersion\" : 2"),
    ] {
      #expect(throws: ImageError.self) { try Baseline(json: Array(bad.utf8), path: "b") }
    }
  }

  @Test func theSampleIsWhatIsWritten() throws {
    var subject = Subject(image: try Samples.image("cpa-2008"))
    let log = try #require(subject.log?.value)
    #expect(subject.take(log: log, userRelease: nil) == nil)
    #expect(
      try Samples.text("cpa-2008", "known.json") == Baseline([Linter.run(subject)]).json())
  }

  @Test func knownFindingsDoNotCount() throws {
    let report = try report("cpa-2008")
    let known = result([report], Baseline([report]))
    #expect(known.status == 0)
    let said = try text(known)
    #expect(said.contains("error (known): PT201 global-mixed: the first GiB"))
    #expect(said.contains("passed, 0 errors, 0 warnings, 0 notes"))
    #expect(said.contains(", 3 known, exit status 0\n"))
    #expect(try text(known, .quiet) == "")
    #expect(result([report], Baseline([])).status == 1)
  }

  /// The same rule in another place is new.
  @Test func aFindingElsewhereIsNew() throws {
    let patient = try Patient("healthy")
    let sites = patient.sites.filter {
      $0.isLeaf && $0.area == .directMap && $0.level == 1 && $0.isNoExecute && $0.isWritable
    }
    let known = sites[100]
    let new = sites[5000]
    try patient.write(known.entry & ~(1 << 63), known)
    let before = Linter.run(patient.subject)
    #expect(before.count(.error) == 1)
    let baseline = Baseline([before])
    patient.memory.reset()
    try patient.write(new.entry & ~(1 << 63), new)
    let elsewhere = result([Linter.run(patient.subject)], baseline)
    #expect(elsewhere.status == 1)
    #expect(elsewhere.reports[0].count(.error) == 1)
    #expect(elsewhere.gone?.map(\.rule) == ["PT004"])
    let said = try text(elsewhere)
    #expect(said.contains("\ngone: PT004 error: executable-direct-map, direct map: "))
    #expect(said.contains(" known, 1 gone, exit status 1\n"))
    let json = Data(
      try CheckFormat.json.report(elsewhere, detail: .normal, style: TextStyle(color: false)).utf8)
    #expect(try SchemaTests().validate([json], "check") == ["valid"])
    let lines = try CheckFormat.jsonl.report(
      elsewhere, detail: .normal, style: TextStyle(color: false)
    ).split(separator: "\n").filter { $0.hasPrefix("{\"baseline\"") }
    #expect(try SchemaTests().validate(lines.map { Data($0.utf8) }, "check-line") == ["valid"])
  }

  /// What was not looked for is not gone.
  @Test func onlyWhatWasLookedForIsGone() throws {
    let baseline = Baseline([try report("cpa-2008")])
    let healthy = try report("healthy")
    #expect(result([healthy], baseline).gone?.map(\.rule) == ["PT004", "PT201", "PT607"])
    let few = try report("healthy", Rule.all.filter { $0.id != "PT201" })
    #expect(result([few], baseline).gone?.map(\.rule) == ["PT004", "PT607"])
    let part = Linter.run(healthy.subject.limited(to: 0...0xffff))
    #expect(result([part], baseline).gone?.isEmpty == true)
    let cut = Linter.run(try Fixtures.subject("PT903", "fires"))
    #expect(result([cut], baseline).gone?.isEmpty == true)
    // In one of two inputs is enough.
    #expect(result([healthy, try report("cpa-2008")], baseline).gone?.isEmpty == true)
  }

  /// The baseline of one boot silences another, and not a fault in it.
  @Test func aBaselineServesTheNextBoot() throws {
    let baseline = Baseline([try report("healthy")])
    let patient = try Patient("healthy-again")
    #expect(baseline.entries.map(\.rule) == ["PT304"])
    #expect(patient.healthy.findings.map(\.rule.id) == ["PT304"])
    #expect(result([patient.healthy], baseline).status == 0)
    let site = try #require(patient.sites.first { $0.isLeaf && $0.area == .vmalloc })
    try patient.write(site.entry & ~(1 << 63), site)
    let broken = result([Linter.run(patient.subject)], baseline)
    #expect(broken.status == 1)
    #expect(broken.reports[0].findings.filter(\.isOpen).map(\.rule.id) == ["PT001"])
  }

  @Test func theCommandWritesAndReads() throws {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let image = Samples.path("cpa-2008", "memory.elf")
    try Samples.withTemporaryFile { path in
      #expect(try Samples.run([program, "check", "--write-baseline", path, image]).status == 1)
      #expect(try Samples.run([program, "check", "--baseline", path, image]).status == 0)
      // Written over the old one, it still holds all.
      let again = ["--baseline", path, "--write-baseline", path, image]
      #expect(try Samples.run([program, "check"] + again).status == 0)
      #expect(try Samples.run([program, "check", "--baseline", path, image]).status == 0)
      try Data("{}".utf8).write(to: URL(filePath: path))
      #expect(try Samples.run([program, "check", "--baseline", path, image]).status == 2)
    }
    #expect(try Samples.run([program, "check", "--baseline", "/nowhere", image]).status == 2)
  }
}
