import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Each rule on a defect of its own and on tables without it (samples/rules), and where it stands
/// back.
@Suite struct RuleTests {
  private func fired(_ subject: Subject) -> [String] {
    Linter.run(subject).findings.map(\.rule.id)
  }

  private func skips(_ subject: Subject, _ rule: String) -> Bool {
    Linter.run(subject).skipped.contains { $0.rule.id == rule }
  }

  @Test(arguments: Rule.all.map(\.id))
  func fires(_ rule: String) throws {
    let subject = try Fixtures.subject(rule, "fires")
    #expect(fired(subject) == [rule])
    #expect(subject.problems == [])
  }

  @Test(arguments: Rule.all.map(\.id))
  func isSilent(_ rule: String) throws {
    let subject = try Fixtures.subject(rule, "silent")
    #expect(fired(subject) == [])
    #expect(!skips(subject, rule), "the rule did not run: its silence says nothing")
    #expect(subject.isComplete)
  }

  @Test func fixturesBelongToRules() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Fixtures.folder.path)
    #expect(Set(folders).subtracting(["README.md"]) == Set(Rule.all.map(\.id)))
  }

  @Test func writableExecutableNeedsNX() throws {
    var subject = try Fixtures.subject("PT001", "fires")
    subject.facts.nx = Fact(false, "assumed")
    #expect(fired(subject) == [])
    #expect(skips(subject, "PT001"))
  }

  @Test func globalRulesNeedPTI() throws {
    var subject = try Fixtures.subject("PT201", "fires")
    #expect(subject.facts.pti?.value == false)
    subject.facts.pti = nil
    #expect(fired(subject) == [])
    for rule in ["PT201", "PT202", "PT203"] { #expect(skips(subject, rule)) }
    let isolated = try Fixtures.subject("PT203", "silent")
    #expect(isolated.facts.pti?.value == true)
    #expect(skips(isolated, "PT201"))
  }

  /// What firmware names is a device where the log says that PAT is in use, and not where it is off.
  @Test(arguments: [
    ("x86/PAT: PAT support disabled via boot option.", false),
    ("x86/PAT: Configuration [0-7]: WB  WC  UC- UC  WB  WP  UC- WT  ", true),
  ])
  func withoutPATFirmwareMayMapWriteBack(_ line: String, _ fires: Bool) throws {
    var subject = try Fixtures.subject("PT403", "silent")
    #expect(subject.usesPAT == nil && fired(subject) == [])
    #expect(subject.take(log: "<6>[    0.005696] \(line)\n", userRelease: nil) == nil)
    #expect(subject.usesPAT == fires && fired(subject) == (fires ? ["PT403"] : []))
  }

  /// What looks for protections waits until the kernel has set them up.
  @Test func earlyBootTablesAreNotJudged() throws {
    let early = try Fixtures.subject("PT907", "fires")
    for rule in ["PT001", "PT002", "PT004", "PT005", "PT006", "PT007", "PT008", "PT302"] {
      #expect(skips(early, rule), "\(rule)")
    }
    // A log that goes on after the text was taken says nothing of it; an image's log does.
    let log = Fact("Write protecting the kernel read-only data: 4096k", "a log")
    var text = early
    text.log = log
    #expect(fired(text) == ["PT907"])
    var image = try Fixtures.subject(
      tables: DeclaredTables(
        Fixtures.text("PT005", "silent.tables").replacing("0: 0x10161", with: "0: 0x10163")
          .replacing("2: 0x8000000000012161", with: "2: 0x8000000000012163")))
    #expect(fired(image) == ["PT907"])
    image.log = log
    #expect(fired(image) == ["PT008", "PT008"])
  }

  @Test func initMemoryThatCanBeRun() throws {
    var tables = try DeclaredTables(Fixtures.text("PT005", "silent.tables"))
    #expect(fired(try Fixtures.subject(tables: tables)) == [])
    tables = try DeclaredTables(
      Fixtures.text("PT005", "silent.tables").replacing(
        "4: 0x8000000000014163", with: "4: 0x14161"))
    #expect(fired(try Fixtures.subject(tables: tables)) == ["PT006"])
  }

  @Test func writableRodata() throws {
    let tables = try DeclaredTables(
      Fixtures.text("PT005", "silent.tables").replacing(
        "2: 0x8000000000012161", with: "2: 0x8000000000012163"))
    let findings = Linter.run(try Fixtures.subject(tables: tables)).findings
    #expect(findings.map(\.rule.id) == ["PT008"])
    #expect(findings.first?.message.contains("rodata") == true)
  }

  @Test func guardHoleBelongsToXen() throws {
    var subject = try Fixtures.subject("PT605", "fires")
    subject.facts.xen = Fact(true, "assumed")
    #expect(skips(subject, "PT605"))
    subject.facts.xen = nil
    subject.facts.release = Fact("2.6.26", "assumed")
    #expect(skips(subject, "PT605"))
    subject.facts.release = nil
    // The direct map lies where 4.20 put it.
    #expect(fired(subject) == ["PT605"])
    subject.facts.releaseFrom = nil
    #expect(skips(subject, "PT605"))
  }

  /// The kernel's dumper passes over the hole: what a text has there is of the line before.
  @Test(arguments: Samples.healthy) func textsShowNoTablesInTheGuardHole(_ sample: String) throws {
    guard Samples.has(sample, "current_kernel.txt") else { return }
    let text = try Samples.text(sample, "current_kernel.txt")
    var subject = try Fixtures.subject(dump: text)
    subject.facts.release = Fact("6.12.0", "assumed")
    #expect(!fired(subject).contains("PT605") && !skips(subject, "PT605"))
  }

  @Test func directMapOffsetMismatchLeavesXenAlone() throws {
    var subject = try Fixtures.subject("PT601", "fires")
    subject.facts.xen = Fact(true, "assumed")
    #expect(fired(subject) == [])
    #expect(skips(subject, "PT601"))
  }

  /// What Xen does otherwise is a rule's need: its silence is no pass.
  @Test(arguments: ["PT007", "PT101", "PT305", "PT307", "PT601", "PT602"])
  func rulesThatXenMisleadsAreSkipped(_ rule: String) throws {
    var subject = try Fixtures.subject(rule, "fires")
    subject.facts.xen = Fact(true, "assumed")
    let report = Linter.run(subject)
    #expect(!report.findings.contains { $0.rule.id == rule })
    #expect(report.skipped.first { $0.rule.id == rule }?.reason.hasPrefix("under Xen: ") == true)
    #expect(report.rulesRun == report.rules.count - report.skipped.count)
  }

  /// A Xen PV guest has NX in pmds, which a text does not show, and no large pages.
  @Test func whatXenHidesIsNotJudged() throws {
    var text = try Fixtures.subject("PT004", "fires")
    #expect(fired(text) == ["PT004"])
    text.facts.xen = Fact(true, "assumed")
    #expect(skips(text, "PT004") && skips(text, "PT304"))
  }

  /// A check that looks at nothing is not counted as run, whatever its needs say.
  @Test func checksThatSeeNothingHaveNotRun() throws {
    var subject = try Fixtures.subject("PT601", "silent")
    let rule = try #require(Rule.named("PT601"))
    #expect(Linter.run(subject, rules: [rule]).rulesRun == 1)
    subject.facts.directMap = Fact(0xffff_9000_0000_0000, "not where the area lies")
    let report = Linter.run(subject, rules: [rule])
    #expect(report.skipped.map(\.reason) == [Rule.sawNothing])
    #expect(report.rulesRun == 0)
  }

  private func expectLooks(_ subject: Subject, _ name: String) {
    let blind = Linter.run(subject).skipped.filter { $0.reason == Rule.sawNothing }
    #expect(
      blind.map(\.rule.id) == [],
      "\(name): the check returned before it looked; a need must say why")
  }

  /// Needs say what a rule cannot do without: no check finds itself with nothing to look at.
  @Test(arguments: Rule.all.map(\.id))
  func checksLookAtFixtures(_ rule: String) throws {
    for name in ["fires", "silent"] {
      expectLooks(try Fixtures.subject(rule, name), "\(rule)/\(name)")
    }
  }

  @Test(arguments: ["cpa-pti", "healthy-5level", "efi", "pae", "pae-pti", "two-level", "vmcore"])
  func checksLookAtImages(_ sample: String) throws {
    let image = try Samples.image(sample)
    var subject = Subject(image: image)
    expectLooks(subject, sample)
    subject.add(Samples.process(image).map { [$0] } ?? [])
    expectLooks(subject, "\(sample), a process")
    if Samples.has(sample, "kernel.txt") {
      expectLooks(
        try Fixtures.subject(dump: Samples.text(sample, "kernel.txt")), "\(sample), the text")
    }
  }

  /// A rule for one processor does not judge another's tables.
  @Test func rulesServeArchitectures() throws {
    let subject = Subject(image: try Samples.image("pae"))
    let reasons = Linter.run(subject).skipped.filter { $0.rule.id == "PT605" }.map(\.reason)
    #expect(reasons == ["does not serve i386: judges x86-64"])
    #expect(Rule.named("PT001")?.serves.names == ["all"])
    #expect(Rule.named("PT002")?.serves.names == ["64-bit"])
    #expect(Rule.named("PT201")?.serves.names == ["x86-64", "i386"])
  }

  /// Formats of one machine are of one architecture.
  @Test func anArchitectureIsItsMachine() {
    let (x86, old) = (TableFormat.x86_64.architecture, TableFormat.i386.architecture)
    #expect(x86.isSame(as: TableFormat.x86_64FiveLevel.architecture))
    #expect(old.isSame(as: TableFormat.i386PAE.architecture))
    #expect(!x86.isSame(as: old))
  }

  /// Rules that a part of the input, or mappings without their tables, cannot be judged by.
  @Test func whatPartsCannotShow() {
    let comparing = Rule.all.filter(\.comparesParts).map(\.id)
    #expect(
      comparing == [
        "PT003", "PT013", "PT014", "PT105", "PT107", "PT108", "PT111", "PT112", "PT201", "PT202",
        "PT203", "PT207", "PT209", "PT303", "PT304", "PT305", "PT306", "PT307", "PT310", "PT311",
        "PT401", "PT406", "PT407", "PT504", "PT510", "PT604", "PT606", "PT608", "PT610", "PT611",
        "PT612",
        "PT905", "PT906", "PT907",
        "PT908",
      ])
    #expect(
      Rule.all.filter(\.judgesTables).map(\.id) == [
        "PT013", "PT107", "PT205", "PT501", "PT502", "PT503", "PT504", "PT505", "PT509", "PT702",
      ])
  }

  @Test(arguments: ["PT901", "PT902", "PT903", "PT904"])
  func limitsOfTheInputAreIncomplete(_ rule: String) throws {
    let report = Linter.run(try Fixtures.subject(rule, "fires"))
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 3)
    #expect(report.status(failOn: .warning, allowIncomplete: true) == 0)
    #expect(report.status(failOn: .note, allowIncomplete: true) == 1)
  }

  @Test func excerptIsIncomplete() throws {
    let lines = try Fixtures.text("PT201", "silent.txt").split(separator: "\n")
    let map = lines.filter { $0.contains("-0xffff888") && !$0.hasSuffix(" pgd") }
    #expect(map.count == 5)
    let excerpt = try Fixtures.subject(dump: map.joined(separator: "\n"))
    #expect(Set(fired(excerpt)) == ["PT903"])
    let report = Linter.run(excerpt)
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 3)
    #expect(report.status(failOn: .warning, allowIncomplete: true) == 0)
  }

  @Test func cutImage() throws {
    // The image says that it has 4 KiB at 0x9000 and ends before them.
    let tables = try DeclaredTables(Fixtures.text("PT904", "silent.tables"))
    let subject = try Samples.withTemporaryFile { path in
      try tables.image.write(to: path)
      let whole = try Data(contentsOf: URL(filePath: path))
      try whole.dropLast(4096).write(to: URL(filePath: path))
      return Subject(
        image: try KernelImage(ImageFile.open(path: path)))
    }
    #expect(Set(fired(subject)) == ["PT903", "PT904"])
    #expect(Linter.run(subject).status(failOn: .warning, allowIncomplete: false) == 3)
  }

  @Test func extractLeavesUserMemoryOut() throws {
    let marker = "PTDUMP-LINT-USER-MEMORY-MARKER "
    var writer = ImageWriter(root: 0x2000)
    // User space maps the page with the marker, the direct map's first page the tables.
    writer.table(0x2000, [0: 0x4067, 273: 0x8063])
    writer.table(0x8000, [0: 0x9063])
    writer.table(0x9000, [0: 0x8000_0000_0000_01e3])
    writer.table(0x4000, [0: 0x5067])
    writer.table(0x5000, [0: 0x6067])
    writer.table(0x6000, [1: 0x8000_0000_0000_7067])
    writer.page(0x7000, text: marker)
    let image = try Samples.withTemporaryFile { path in
      try writer.write(to: path)
      #expect(try Data(contentsOf: URL(filePath: path)).range(of: Data(marker.utf8)) != nil)
      return try KernelImage(ImageFile.open(path: path))
    }
    #expect(image.walk(0x1000).physical == 0x7000)
    let small = Extract.make(image, keepLog: true)
    #expect(Data(small).range(of: Data(marker.utf8)) == nil)
    let again = try Samples.withTemporaryFile { path in
      try Data(small).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path))
    }
    #expect(again.problems == [])
    #expect(again.space().runs == image.space().runs)
    // What was left out is unknown, not zero.
    #expect(throws: UnreadableMemory.self) { try again.memory.read(at: 0x7000, count: 16) }
  }

  @Test func declaredTablesRefuseWhatTheyDoNotKnow() throws {
    let good = "root 0x2000\nfact pti off\ntable 0x2000\n  511: 0x63\n"
    var facts = KernelFacts()
    try DeclaredTables(good).state(in: &facts)
    #expect(facts.pti == Fact(false, "declared"))
    for bad in ["fact pti maybe", "fact colour on", "  512: 0x63", "  1: 63z", "tables 0x2000"] {
      #expect(throws: DeclaredTables.Failure.self) { try DeclaredTables(good + bad) }
    }
    #expect(throws: DeclaredTables.Failure.self) { try DeclaredTables("table 0x2000") }
    #expect(throws: DeclaredTables.Failure.self) { try DeclaredTables("root 0x2000\n 1: 0x63") }
  }

  @Test func idsAndDocumentation() {
    #expect(Set(Rule.all.map(\.id)).count == Rule.all.count)
    #expect(Set(Rule.all.map(\.name)).count == Rule.all.count)
    let wanted = ["What", "Why", "How Linux should look", "False alarm", "Fix"]
    for rule in Rule.all {
      let labels = RulePage.sections(rule).map(\.label)
      #expect(labels == wanted || labels == wanted + ["References"], "\(rule.id)")
    }
  }
}
