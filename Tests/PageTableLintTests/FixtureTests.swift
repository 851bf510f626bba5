import Foundation
import PageTableLint
import Support
import Testing

/// What is said of each defect in samples/rules, and where: held against the file beside it.
///
/// The findings are read from the JSON report, as those that take it read them.
@Suite struct FixtureTests {
  private struct Report: Decodable {
    struct Range: Decodable { let start, end: String }
    struct Finding: Decodable {
      let rule, severity, message: String
      let table, area: String?
      let range: Range?
      let pages: UInt64?

      /// `PT001 error kernel, vmalloc: 0x…-0x…, 3 pages`.
      ///
      /// A report of the log may name no place: `PT804 warning: CPA without an entry: …`.
      var line: String {
        guard let range, let pages else { return "\(rule) \(severity): \(message)\n" }
        let place = [table, area].compactMap { $0 }.joined(separator: ", ")
        return "\(rule) \(severity) \(place): \(range.start)-\(range.end), \(pages) pages\n"
      }
    }
    let findings: [Finding]
  }

  /// The inputs that show a defect: a rule and the name of a file without its extension.
  private static let defects: [[String]] = {
    let manager = FileManager.default
    let rules = (try? manager.contentsOfDirectory(atPath: Fixtures.folder.path)) ?? []
    return rules.flatMap { rule -> [[String]] in
      let folder = Fixtures.folder.appending(path: rule)
      let files = (try? manager.contentsOfDirectory(atPath: folder.path)) ?? []
      let names = files.filter {
        $0.hasPrefix("fires") && [".txt", ".tables", ".log"].contains(where: $0.hasSuffix)
      }.map { String($0.prefix { $0 != "." }) }
      return Set(names).map { [rule, $0] }
    }.sorted { ($0[0], $0[1]) < ($1[0], $1[1]) }
  }()

  private func findings(_ subject: Subject) throws -> String {
    let result = CheckResult(
      [Linter.run(subject)], failOn: .warning, allowIncomplete: false, version: "0")
    let json = try CheckFormat.json.report(
      result, detail: .normal, style: TextStyle(color: false))
    return try JSONDecoder().decode(Report.self, from: Data(json.utf8)).findings.map(\.line)
      .joined()
  }

  @Test(arguments: defects) func findingsAreAsExpected(_ defect: [String]) throws {
    let found = try findings(Fixtures.subject(defect[0], defect[1]))
    let file = Fixtures.folder.appending(path: "\(defect[0])/\(defect[1]).expected")
    if ProcessInfo.processInfo.environment["RECORD"] == "1" {
      try Data(found.utf8).write(to: file)
    }
    let expected = try? String(contentsOf: file, encoding: .utf8)
    #expect(
      found == expected,
      "\(file.lastPathComponent) differs: RECORD=1 swift test --filter FixtureTests")
  }

  @Test func eachRuleHasADefect() {
    #expect(Set(Self.defects.map { $0[0] }) == Set(Rule.all.map(\.id)))
  }
}
