import FaultInjection
import Foundation
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// `.ptdump-lint.yml`: what it says is done, and what it cannot mean is refused.
@Suite struct ConfigurationTests {
  private func configuration(_ yaml: String) throws(ImageError) -> Configuration {
    try Configuration(yaml: yaml, path: "lint.yml", today: Fixtures.today)
  }

  private func report(_ subject: Subject, _ yaml: String) throws -> Linter.Report {
    var subject = subject
    subject.configuration = try configuration(yaml)
    return Linter.run(subject)
  }

  private func said(_ report: Linter.Report) -> [String] {
    report.findings.map { "\($0.rule.id) \($0.severity)" + ($0.isOpen ? "" : " accepted") }
  }

  /// As JSON has it.
  private func plain(_ node: YAMLNode) -> Any {
    switch node.value {
    case .scalar(let text): text.isEmpty ? NSNull() : text
    case .sequence(let nodes): nodes.map(plain)
    case .mapping(let pairs):
      Dictionary(
        pairs.map { pair in
          if case .scalar(let name) = pair.key.value { (name, plain(pair.value)) } else { ("", "") }
        }, uniquingKeysWith: { first, _ in first })
    }
  }

  private func verdicts(_ yamls: [String]) throws -> [String] {
    let documents = try yamls.map { yaml in
      try JSONSerialization.data(
        withJSONObject: YAMLNode.root(of: yaml).map(plain) ?? NSNull(), options: .fragmentsAllowed)
    }
    return try SchemaTests().validate(documents, "configuration")
  }

  // MARK: - The file

  private static let good = [
    "# nothing\n",
    "rules:\n  PT607: off\n  over-shattered: warning\n  PT001: note\n",
    """
    expectations:
      - symbol: _stext-_etext
        attributes: [ro, x, kernel, wb]
        reason: text
      - {area: direct map, range: 0x0-0x100000, pageSize: 4K, reason: the first MiB}
      - area: vmemmap
        table: kernel
        largePages: 100%
        reason: memory enough
    exceptions:
      - rule: PT001
        symbol: _text
        range: 0-1000
        until: 2028-02-29
        reason: known
      - rule: kaslr-off
        reason: "a laboratory's kernel"
    """,
  ]

  @Test func goodFilesAreRead() throws {
    for yaml in Self.good { _ = try configuration(yaml) }
    #expect(try verdicts(Self.good) == ["valid", "valid", "valid"])
    for rule in ["PT309", "PT908", "PT909"] {
      let files = try ["fires.yml", "silent.yml"].map { try Fixtures.text(rule, $0) }
      #expect(try verdicts(files) == ["valid", "valid"])
    }
  }

  /// The line and what is wrong with it, and whether the schema sees it, too.
  @Test(
    arguments: [
      ("rule:\n  PT001: off", "lint.yml:1: the file has no key rule; did you mean rules?", true),
      ("\nrules:\n  PT01: off", "lint.yml:3: no rule is named PT01; did you mean ", true),
      (
        "rules:\n  global-mixd: off",
        "lint.yml:2: no rule is named global-mixd; did you mean global-mixed?", true
      ),
      ("rules:\n  nonsense: off", "no rule is named nonsense; see ptdump-lint rules", true),
      (
        "rules:\n  PT001: eror", "lint.yml:2: a rule's severity is not eror; did you mean error?",
        true
      ),
      (
        "rules:\n  PT001: off\n  writable-executable: off", "lint.yml:3: PT001 is named twice",
        false
      ),
      ("rules:\n  PT001: off\n  PT001: off", "not YAML", false),
      ("rules: {}\n---\nrules: {}", "lint.yml:3: not YAML: a second document", false),
      ("rules: &a\n  PT001: *a", "not YAML: too many nodes, or too deep", false),
      // libyaml takes hours for it.
      (
        String(repeating: "{a: ", count: 1_000_000), "not YAML: too many nodes, or too deep", false
      ),
      ("rules: [PT001]", "lint.yml:1: rules must have keys", true),
      ("exceptions: PT001", "lint.yml:1: exceptions must be a list", true),
      ("exceptions:\n  - area: vmalloc\n    reason: r", "lint.yml:2: an exception must name", true),
      ("exceptions:\n  - rule: PT001", "lint.yml:2: an exception must have a reason", true),
      ("exceptions:\n  - rule: PT001\n    reason:", "lint.yml:3: a reason must be", true),
      ("exceptions:\n  - rule: PT908\n    reason: r", "lint.yml:2: PT908 is about", false),
      (
        "exceptions:\n  - rule: PT001\n    aera: vmalloc\n    reason: r",
        "lint.yml:3: an exception has no key aera; did you mean area?", true
      ),
      (
        "exceptions:\n  - rule: PT001\n    area: vmaloc\n    reason: r",
        "lint.yml:3: an area is not vmaloc; did you mean vmalloc?", true
      ),
      (
        "exceptions:\n  - {rule: PT001, area: vmalloc, symbol: _text, reason: r}",
        "a place has an area or a symbol", true
      ),
      (
        "exceptions:\n  - {rule: PT001, reason: r, until: 2027-02-29}",
        "lint.yml:2: until is not 2027-02-29", false
      ),
      ("exceptions:\n  - {rule: PT001, reason: r, until: soon}", "until is not soon", true),
      ("exceptions:\n  - {rule: PT001, reason: r, range: 2000}", "a range is not 2000", true),
      ("exceptions:\n  - {rule: PT001, reason: r, range: 3-2}", "a range is not 3-2", false),
      ("expectations:\n  - {attributes: [ro], reason: r}", "must say where", true),
      ("expectations:\n  - {area: vmalloc, reason: r}", "must expect something", true),
      (
        "expectations:\n  - {area: vmalloc, attributes: [ro, rw], reason: r}",
        "rw contradicts ro", false
      ),
      (
        "expectations:\n  - {area: vmalloc, attributes: [nxx], reason: r}",
        "an attribute is not nxx; did you mean nx?", true
      ),
      (
        "expectations:\n  - {area: vmalloc, pageSize: 3M, reason: r}", "a page size is not 3M", true
      ),
      (
        "expectations:\n  - {area: vmalloc, largePages: 101%, reason: r}",
        "largePages is not 101%", true
      ),
      ("rules:\n\t- x", "not YAML", false), ("just words", "the file must have keys", true),
    ])
  func badFilesAreRefused(_ yaml: String, _ words: String, _ isSeenBySchema: Bool) throws {
    let error = try #require(throws: ImageError.self) { try configuration(yaml) }
    #expect("\(error)".contains(words), "\(error)")
    if isSeenBySchema { #expect(try verdicts([yaml]) != ["valid"], "\(yaml)") }
  }

  @Test func theSchemaKnowsTheRulesAndAreas() throws {
    let file = Samples.root.appending(path: "docs/schema/configuration.schema.json")
    let schema = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
    func words(_ name: String) -> [String] {
      let definitions = schema?["$defs"] as? [String: [String: Any]]
      return definitions?[name]?["enum"] as? [String] ?? []
    }
    #expect(words("rule").sorted() == (Rule.all.map(\.id) + Rule.all.map(\.name)).sorted())
    #expect(Set(words("area")) == Set(Area.Kind.known.map(\.name)))
  }

  /// docs/configuration.md: its example is read, and it has each key; DocCommandTests runs its commands.
  @Test func thePageIsTrue() throws {
    let page = try String(
      contentsOf: Samples.root.appending(path: "docs/configuration.md"), encoding: .utf8)
    let start = try #require(page.range(of: "    rules:\n"))
    let end = try #require(page.range(of: "\n\n**Rules.**"))
    let example = page[start.lowerBound..<end.lowerBound].split(
      separator: "\n", omittingEmptySubsequences: false
    ).map { $0.dropFirst(4) }.joined(separator: "\n")
    let sample = try String(
      contentsOf: Samples.root.appending(path: "samples/ptdump-lint.yml"), encoding: .utf8)
    for yaml in [example, sample] { _ = try configuration(yaml) }
    #expect(try verdicts([example, sample]) == ["valid", "valid"])
    for attribute in Configuration.Attribute.allCases {
      #expect(page.contains("`\(attribute.rawValue)`"))
    }
  }

  // MARK: - Rules

  @Test func severitiesAreThoseOfTheFile() throws {
    let subject = Subject(image: try Samples.image("cpa-2008"))
    #expect(said(Linter.run(subject)) == ["PT004 error", "PT201 error", "PT607 note"])
    let yaml = "rules:\n  PT004: note\n  kaslr-off: error"
    #expect(said(try report(subject, yaml)) == ["PT201 error", "PT607 error", "PT004 note"])
    let off = try configuration("rules:\n  PT004: off\n  PT201: warning")
    #expect(Rule.all.filter(off.turnsOff).map(\.id) == ["PT004"])
    // What a rule itself calls harmless stays so.
    let isolated = Subject(image: try Samples.image("cpa-pti"))
    let residue = try report(isolated, "rules:\n  PT203: error").findings.filter {
      $0.rule.id == "PT203"
    }
    #expect(
      !residue.isEmpty
        && residue.map(\.severity)
          == Linter.run(isolated).findings
          .filter { $0.rule.id == "PT203" }.map { $0.severity == .note ? .note : .error }
    )
  }

  // MARK: - Exceptions

  @Test func whatIsAcceptedDoesNotCount() throws {
    let subject = Subject(image: try Samples.image("writable-executable"))
    let finding = try #require(Linter.run(subject).findings.first { $0.rule.id == "PT001" })
    func status(_ place: String, until: String = "2026-02-01") throws -> [String] {
      said(
        try report(
          subject,
          "exceptions:\n  - {rule: PT001, \(place)reason: the laboratory's, until: \(until)}"
        )
      ).filter { !$0.hasPrefix("PT304") }
    }
    let range = "\(finding.start.entry)-\(finding.end.entry)"
    for place in ["", "area: vmalloc, ", "table: kernel, ", "range: \(range), "] {
      #expect(try status(place) == ["PT001 error accepted"], "\(place)")
    }
    let less = "\(finding.start.entry)-\((finding.end - 4096).entry)"
    for place in ["area: modules, ", "range: \(less), ", "symbol: _stext-_etext, "] {
      #expect(try status(place) == ["PT001 error", "PT908 note"], "\(place)")
    }
    #expect(try status("table: user, ") == ["PT001 error"])
    // The end is past: it counts again, and that is said.
    #expect(try status("", until: "2026-01-31") == ["PT001 error", "PT909 note"])
    let accepted = try report(subject, "exceptions:\n  - {rule: PT001, reason: the laboratory's}")
    let result = CheckResult(
      [accepted], failOn: .warning, allowIncomplete: false, version: "0.1.0")
    #expect(result.status == 0)
    func text(_ format: CheckFormat) throws -> String {
      try format.report(result, detail: .normal, style: TextStyle(color: false))
    }
    #expect(try text(.text).contains("error (accepted: the laboratory's): PT001 "))
    #expect(try text(.text).contains(", 1 accepted, exit status 0\n"))
    #expect(try text(.json).contains("\"suppression\" : \"the laboratory's\""))
    // Exceptions have their reasons: they go into no baseline.
    #expect(Baseline([accepted]).entries.allSatisfy { $0.rule != "PT001" })
  }

  /// Of several inputs one that needs the exception is enough.
  @Test func anExceptionThatOneInputNeeds() throws {
    let yaml = "exceptions:\n  - {rule: PT001, reason: the laboratory's}"
    let healthy = try report(Subject(image: Samples.image("healthy")), yaml)
    let broken = try report(Subject(image: Samples.image("writable-executable")), yaml)
    #expect(said(healthy).contains("PT908 note"))
    #expect([healthy].withoutNeededExceptions.flatMap(said).contains("PT908 note"))
    let both = [healthy, broken].withoutNeededExceptions.flatMap(said)
    #expect(both.contains("PT001 error accepted") && !both.contains("PT908 note"))
    // A part of the input tells nothing.
    let part = try report(healthy.subject.limited(to: 0...0xffff), yaml)
    #expect(!said(part).contains("PT908 note"))
  }

  // MARK: - Expectations

  /// What must hold of a healthy kernel, and does.
  private static let expectations = """
    expectations:
      - {symbol: _stext-_etext, attributes: [ro, x, kernel, wb], reason: text}
      - {symbol: __start_rodata-__end_rodata, attributes: [ro, nx], reason: rodata}
      - {symbol: init_task, attributes: [rw, nx], pageSize: 4K, reason: data}
      - {area: vmemmap, attributes: [rw, nx, global], largePages: 100%, reason: memory}
      - {area: direct map, range: 0x200000-0x300000, attributes: [rw, nx], reason: the second MiB}
      - {area: fixmap, attributes: [nx], reason: fixmap}
    """

  @Test func healthyKernelsMeetThem() throws {
    for sample in ["healthy", "healthy-again", "healthy-5level"] {
      let report = try report(Subject(image: Samples.image(sample)), Self.expectations)
      #expect(report.findings.allSatisfy { $0.rule.id != "PT309" })
      #expect(!report.skipped.contains { $0.rule.id == "PT309" })
    }
  }

  @Test func theFirstRunThatBreaksOneIsNamed() throws {
    let patient = try Patient("healthy")
    func found(_ entry: (Site) -> UInt64, at address: UInt64) throws -> [Judged] {
      let site = try #require(patient.sites.first { $0.isLeaf && $0.address == address })
      try patient.write(entry(site), site)
      defer { patient.memory.reset() }
      return try report(patient.subject, Self.expectations).findings.filter {
        $0.rule.id == "PT309"
      }
    }
    let rodata = patient.symbol("__start_rodata")
    let executable = try found({ $0.entry & ~(1 << 63) }, at: rodata + 0x3000)
    #expect(executable.map(\.severity) == [.error])
    let finding = try #require(executable.first)
    #expect(
      finding.message == "__start_rodata-__end_rodata must be ro, nx: 4 KiB is not"
        && finding.start == rodata + 0x3000 && finding.pages == 1)
    #expect(
      finding.evidence.prefix(3) == [
        "the first: \((rodata + 0x3000).address) is ro, x, global, kernel, wb, 4K",
        "expected because: rodata", "the expectation: lint.yml:3",
      ])
    let hole = try found({ _ in 0 }, at: patient.base + 0x20_0000)
    #expect(hole.map(\.message) == ["direct map, 0x200000-0x300000 must be rw, nx: 4 KiB is not"])
    #expect(hole[0].evidence[0] == "the first: \((patient.base + 0x20_0000).address) is not mapped")
    let uncached = try found({ $0.entry | 1 << 4 }, at: patient.symbol("_stext"))
    #expect(uncached.first?.evidence[0].text(.x86_64).contains(" uc-, 4K") == true)
    let data = patient.symbol("init_task") & ~4095
    #expect(try found({ $0.entry & ~2 }, at: data).first?.message.hasPrefix("init_task") == true)
  }

  @Test func theShareOfLargePages() throws {
    let subject = Subject(image: try Samples.image("healthy"))
    func messages(_ share: String) throws -> [String] {
      try report(
        subject, "expectations:\n  - {area: direct map, largePages: \(share), reason: r}"
      ).findings.filter { $0.rule.id == "PT309" }.map(\.message)
    }
    #expect(try messages("7%") == [])
    #expect(try messages("90%") == ["direct map must have 90% in large pages: it has 7.8%"])
  }

  /// What cannot be checked is no pass.
  @Test(arguments: [
    ("symbol: no_such_symbol", "the kernel has no symbol no_such_symbol"),
    ("symbol: _etext-_stext", "_stext does not lie behind _etext"),
    ("area: vmemmap, table: user", "the user table was not read"),
    ("area: persistent kmap", "not known where the area lies: persistent kmap"),
    ("area: modules", "nothing is mapped there"),
  ])
  func whatCannotBeCheckedIsSaid(_ place: String, _ reason: String) throws {
    let report = try report(
      Subject(image: Samples.image("healthy")),
      "expectations:\n  - {\(place), attributes: [nx], reason: r}")
    let finding = try #require(report.findings.first { $0.rule.id == "PT309" })
    #expect(finding.severity == .warning)
    #expect(finding.message.hasSuffix("was not checked: \(reason)"))
  }

  @Test func aTextHasNoSymbols() throws {
    let report = try report(Fixtures.subject("PT001", "silent"), Self.expectations)
    let found = report.findings.filter { $0.rule.id == "PT309" }.map(\.message)
    #expect(found.count { $0.hasSuffix("needs the kernel's symbols: give --symbols") } == 3)
  }

  // MARK: - The command

  @Test func theFileIsFoundUpward() throws {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let root = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-\(UUID().uuidString)")
    let folder = root.appending(path: "some/where")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    let image = Samples.path("writable-executable", "memory.elf")
    func check(_ options: String = "") throws -> (status: Int32, text: String) {
      let result = try Samples.run([
        "sh", "-c", "cd \(folder.path) && \(program) check \(options) \(image)",
      ])
      return (result.status, String(decoding: result.output, as: UTF8.self))
    }
    #expect(try check().status == 1)
    let file = root.appending(path: ".ptdump-lint.yml")
    // The kernel's log has the mapping, too.
    try Data("rules:\n  PT001: off\n".utf8).write(to: file)
    #expect(try check().text.contains("warning: PT804 write-execute-report"))
    try Data("rules:\n  PT001: off\n  PT804: off\n".utf8).write(to: file)
    #expect(try check().status == 0)
    #expect(try check("--no-config").status == 1)
    // Who asks for a rule by name gets it.
    #expect(try check("--only PT001").status == 1)
    for (option, meant) in [
      ("--only global-mixd", "global-mixed"), ("--skip PT001,overshattered", "over-shattered"),
    ] {
      let unknown = try check(option)
      #expect(unknown.status == 2 && unknown.text.contains("; did you mean \(meant)?"))
    }
    let other = root.appending(path: "other.yml")
    try Data("rules:\n  PT001: warning\n".utf8).write(to: other)
    #expect(try check("--config \(other.path)").status == 1)
    #expect(try check("--config \(other.path) --fail-on error").status == 0)
    #expect(try check("--config \(other.path) --no-config").status == 2)
    #expect(try check("--config \(root.path)/none.yml").status == 2)
    // The nearest one goes before.
    let near = folder.appending(path: ".ptdump-lint.yml")
    try Data("rules:\n  PT0001: off\n".utf8).write(to: near)
    let wrong = try check()
    #expect(wrong.status == 2)
    #expect(wrong.text.contains("some/where/.ptdump-lint.yml:2: no rule is named PT0001"))
  }
}
