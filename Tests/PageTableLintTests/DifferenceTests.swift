import FaultInjection
import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Two boots of one kernel differ in nothing, and a fault in one of them is all that they differ in.
@Suite(.serialized) struct DifferenceTests {
  private static let boots = ["healthy", "healthy-again"]

  /// The report of a subject that has its own log.
  private static func report(_ subject: Subject) -> Linter.Report {
    var subject = subject
    if let log = subject.log?.value { _ = subject.take(log: log, userRelease: nil) }
    return Linter.run(subject)
  }

  private static func image(_ sample: String) throws -> Linter.Report {
    report(Subject(image: try Samples.image(sample)))
  }

  private static func text(_ sample: String) throws -> Linter.Report {
    Linter.run(try Fixtures.subject(dump: Samples.text(sample, "kernel.txt")))
  }

  private static func lines(_ difference: Difference) -> [String] {
    DifferenceReport.text(difference, detail: .normal, style: TextStyle(color: false))
      .split(separator: "\n").map(String.init)
  }

  // MARK: - Two boots

  @Test func bootsAreOfOtherBootsOfOneKernel() throws {
    let (old, new) = (try Samples.image(Self.boots[0]), try Samples.image(Self.boots[1]))
    #expect(old.info?["BUILD-ID"] == new.info?["BUILD-ID"] && old.info?["BUILD-ID"] != nil)
    for fact in [\KernelFacts.directMap, \.vmalloc, \.vmemmap, \.kaslrOffset, \.physBase] {
      #expect(old.facts[keyPath: fact]?.value != new.facts[keyPath: fact]?.value)
    }
  }

  @Test func twoBootsDoNotDiffer() throws {
    let old = (image: try Self.image(Self.boots[0]), text: try Self.text(Self.boots[0]))
    let new = (image: try Self.image(Self.boots[1]), text: try Self.text(Self.boots[1]))
    for (old, new) in [
      (old.image, new.image), (old.image, new.text), (old.text, new.image), (new.image, old.image),
    ] {
      let difference = Difference(old, new)
      #expect(Self.lines(difference).last?.contains("no difference, 0 changes") == true)
      #expect(difference.status == 0 && !difference.isOneBoot)
      #expect(difference.changes == [])
      // What that leaves out is said.
      let said = difference.notCompared.map(\.what).joined(separator: "\n")
      for what in ["page sizes of the direct map", "vmalloc: places", "cpu entry area: places"] {
        #expect(said.contains(what))
      }
    }
  }

  /// On 32 bits the image moves in the direct map, and the user's half has but some pages of it.
  @Test func twoBootsOf32BitsDoNotDiffer() throws {
    let (old, new) = (try Samples.image("pae-pti"), try Samples.image("pae-pti-again"))
    #expect(old.imageFrames != new.imageFrames)
    let difference = Difference(try Self.image("pae-pti"), try Self.image("pae-pti-again"))
    #expect(difference.status == 0 && difference.changes == [])
  }

  // MARK: - Two builds

  /// Their images share no distances: symbols are compared by name, and it is said.
  @Test func twoBuildsAreComparedBySymbols() throws {
    let old = try Self.image("healthy")
    let patient = try Patient("real-failure")
    let same = Difference(old, Self.report(patient.subject))
    #expect(same.areOtherBuilds && !same.isOneBoot && same.changes == [])
    #expect(Self.lines(same)[0].hasPrefix("different builds: 6.12.117 (BUILD-ID "))
    #expect(Self.lines(same).last?.contains("1 new finding, 0 gone, two builds") == true)
    let start = try #require(patient.subject.symbols?["__start_rodata"])
    let site = try #require(
      patient.sites.first { $0.isLeaf && $0.area == .image && $0.address == start })
    try patient.write(site.entry | 2, site)
    let change = Difference(old, Self.report(patient.subject)).changes.first
    patient.memory.reset()
    #expect(change?.area == "kernel image, by symbols" && change?.aspects == [.attributes])
    #expect(change?.new?.range?.lowerBound == start && change?.new?.flags.contains("RW") == true)
    // By release, where a text tells no BUILD-ID; it has no symbols either.
    let other = Difference(old, try Self.image("old-61"))
    #expect(other.areOtherBuilds && Self.lines(other)[0].contains(" and 6.1.192 "))
    #expect(other.changes.allSatisfy { $0.area != "kernel image" })
  }

  /// Two texts do not tell that a self-test ran: then page sizes differ, and nothing else.
  @Test func pageSizesAreLiveAfterASelfTestOnly() throws {
    let new = try Self.text(Self.boots[1])
    let difference = Difference(try Self.text(Self.boots[0]), new)
    #expect(!difference.changes.isEmpty)
    #expect(difference.changes.allSatisfy { $0.aspects == [.pageSize] && $0.kind == .changed })
    #expect(Self.lines(difference).contains { $0.hasPrefix("note: a CPA self-test splits pages") })
    var subject = try Fixtures.subject(dump: Samples.text(Self.boots[0], "kernel.txt"))
    let log = try Samples.text(Self.boots[0], "kernel.log")
    #expect(subject.take(log: log, userRelease: nil) == nil)
    #expect(Difference(Linter.run(subject), new).changes == [])
  }

  /// The text was taken at the moment of the image.
  @Test(arguments: Samples.images.filter { Samples.has($0, "kernel.txt") })
  func textAndImageOfOneMomentDoNotDiffer(_ sample: String) throws {
    let text = try Fixtures.subject(dump: Samples.text(sample, "kernel.txt"))
    let image = Subject(image: try Samples.image(sample))
    #expect(Difference(Linter.run(text, rules: []), Linter.run(image, rules: [])).changes == [])
  }

  // MARK: - Faults

  /// Of each kind of fault that the injection test knows, in another boot than the one compared with;
  /// and a baseline of that one silences all but the fault.
  @Test func aFaultIsSeenAlone() throws {
    let healthy = try Patient(Self.boots[0])
    let old = Self.report(healthy.subject)
    let baseline = Baseline([old])
    func unknown(_ report: Linter.Report) -> [String] {
      baseline.marking(report).findings.filter { $0.isOpen && $0.severity > .note }.map(\.rule.id)
    }
    let patient = try Patient(Self.boots[1])
    #expect(unknown(Self.report(patient.subject)) == [])
    #expect(Difference(old, Self.report(patient.subject)).status == 0)
    var rules: Set<String> = []
    for injection in Injection.all {
      var generator = SeededGenerator(7)
      let sites = injection.places(patient)
      for _ in 0..<Effort.cases(4, oneIn: 4) {
        guard let site = sites.randomElement(using: &generator),
          let place = try injection.change(patient, site, &generator)
        else { continue }
        rules.insert(injection.rule)
        let difference = Difference(old, Self.report(patient.subject))
        patient.memory.reset()
        #expect(difference.status == 1)
        #expect(difference.newFindings.map(\.rule.id) == [injection.rule])
        #expect(unknown(difference.new) == [injection.rule])
        #expect(difference.goneFindings.isEmpty)
        for change in difference.changes {
          // Areas that are handed out anew tell no place.
          if let range = change.new?.range {
            #expect(range.overlaps(place), "\(injection.rule)")
          } else if change.offset != nil {
            #expect(change.size <= place.upperBound - place.lowerBound + 1, "\(injection.rule)")
          }
        }
      }
    }
    #expect(rules.count > 30)
  }

  @Test func aChangeSaysWhat() throws {
    let old = try Self.image(Self.boots[0])
    let patient = try Patient(Self.boots[1])
    let site = try #require(
      patient.sites.first {
        $0.isLeaf && $0.area == .directMap && $0.level == 1 && $0.address - patient.base == 0x200000
      })
    func difference(_ entry: UInt64) throws -> Difference {
      try patient.write(entry, site)
      defer { patient.memory.reset() }
      return Difference(old, Self.report(patient.subject))
    }
    let executable = try difference(site.entry & ~(1 << 63))
    #expect(
      Self.lines(executable).prefix(4) == [
        "changed: direct map: 4 KiB: RW GLB NX 4K -> RW GLB 4K",
        "    +0x200000 4K: old 0xffff924700200000, new 0xffffa26140200000",
        "new: error: PT004 executable-direct-map: 4 KiB of the direct map can be executed",
        "    0xffffa26140200000-0xffffa26140201000, direct map",
      ])
    #expect(executable.changes.map(\.aspects) == [[.attributes]])
    let gone = try difference(0)
    #expect(gone.changes.map(\.kind) == [.removed])
    #expect(Self.lines(gone)[0] == "removed: direct map: 4 KiB: RW GLB NX 4K")
    let moved = try difference(site.entry ^ 0x40_0000)
    #expect(moved.changes.map(\.aspects) == [[.frame]])
    #expect(Self.lines(moved)[0].hasSuffix("RW GLB NX 4K, other frames: 0x200000 -> 0x600000"))
    // Of the same boot, a page size is a change in spite of the self-test, and addresses count.
    let healthy = Self.report(patient.subject)
    let table = try #require(patient.sites.first { $0.isTable && $0.frame == site.table })
    try patient.write(0x20_0000 | 0x80 | 0x163 | 1 << 63, table)
    let whole = Difference(healthy, Self.report(patient.subject))
    patient.memory.reset()
    #expect(whole.isOneBoot)
    #expect(whole.changes.map(\.aspects) == [[.pageSize]])
    let vmalloc = try #require(patient.sites.first { $0.isLeaf && $0.area == .vmalloc })
    try patient.write(0, vmalloc)
    let freed = Difference(healthy, Self.report(patient.subject))
    patient.memory.reset()
    #expect(freed.changes.map(\.kind) == [.removed] && freed.changes[0].offset != nil)
  }

  // MARK: - Status and reports

  @Test func statusIsThatOfDiff() throws {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    func status(_ old: String, _ new: String) throws -> Int32 {
      try Samples.run([program, "diff", old, new]).status
    }
    let text = Samples.path("healthy", "kernel.txt")
    let rules = Samples.root.appending(path: "samples/rules").path
    #expect(try status(text, Samples.path(Self.boots[1], "memory.elf.xz")) == 0)
    #expect(try status(text, Samples.path("writable-executable", "memory.elf")) == 1)
    #expect(try status(text, "/nowhere") == 2)
    #expect(try status(text, Samples.path("pae", "kernel.txt")) == 2)
    #expect(try status("\(rules)/PT903/fires.txt", "\(rules)/PT903/fires.txt") == 3)
    #expect(try status("\(rules)/PT903/fires.txt", "\(rules)/PT001/fires.txt") == 1)
    #expect(
      try Samples.run([program, "diff", "--range", "0-1000", text, text]).status == 2)
  }

  @Test(arguments: [
    ("healthy", "healthy"), ("healthy", "healthy-again"), ("healthy", "writable-executable"),
    ("healthy-pti", "healthy"), ("cpa-2008", "healthy"), ("pae", "pae-pti"),
  ])
  func jsonIsValid(_ old: String, _ new: String) throws {
    let inputs = [
      (try Self.image(old), try Self.image(new)), (try Self.text(old), try Self.image(new)),
    ]
    let documents = try inputs.map {
      Data(try DifferenceReport.json(Difference($0, $1), version: "0.1.0").utf8)
    }
    #expect(try SchemaTests().validate(documents, "diff") == ["valid", "valid"])
    let text = String(decoding: documents[0], as: UTF8.self)
    let wrong = [
      text.replacing("\"notCompared\" :", with: "\"omitted\" :"),
      text.replacing("\"oneBoot\" :", with: "\"boot\" :"),
      text.replacing("\"kind\" : \"changed\"", with: "\"kind\" : \"other\""),
    ].filter { $0 != text }
    #expect(wrong.count >= 2)
    #expect(
      try SchemaTests().validate(wrong.map { Data($0.utf8) }, "diff").allSatisfy { $0 != "valid" })
  }
}
