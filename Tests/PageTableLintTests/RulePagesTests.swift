import Foundation
import PageTableLint
import Support
import Testing

/// The pages of docs/rules, made from the rules themselves.
enum RulePage {
  private static let origin = """
    <!-- Made from Sources/PageTableLint/Rules by RECORD=1 swift test --filter RulePages -->

    """
  private static let labels = [
    "What", "Why", "How Linux should look", "False alarm", "Fix", "References",
  ]

  /// A rule's documentation, cut at its labels.
  static func sections(_ rule: Rule) -> [(label: String, text: String)] {
    var sections: [(label: String, text: String)] = []
    for line in rule.documentation.split(separator: "\n") {
      if let label = labels.first(where: { line.hasPrefix("\($0):") }) {
        let text = line.dropFirst(label.count + 1).drop { $0 == " " }
        sections.append((label: label, text: text.prefix(1).uppercased() + text.dropFirst()))
      } else if !sections.isEmpty {
        let last = sections.count - 1
        sections[last].text += (sections[last].text.isEmpty ? "" : "\n") + line
      }
    }
    return sections
  }

  /// By file name.
  static var all: [String: String] {
    var pages = ["README.md": overview]
    for rule in Rule.all { pages["\(rule.id).md"] = page(rule) }
    return pages
  }

  private static func page(_ rule: Rule) -> String {
    let needs =
      rule.needs.isEmpty
      ? "Runs on every input."
      : "Needs \(rule.needs.map(\.inWords).joined(separator: "; "))."
    let body = sections(rule).map { "\n## \($0.label)\n\n\($0.text)\n" }.joined()
    return """
      \(origin)
      # \(rule.id) \(rule.name)

      **\(rule.severity.rawValue)**: \(rule.summary)

      \(needs)
      \(body)
      """
  }

  private static var overview: String {
    let rows = Rule.all.sorted { $0.id < $1.id }.map { rule in
      "| [\(rule.id)](\(rule.id).md) | \(rule.name) | \(rule.severity.rawValue) | \(rule.summary) |\n"
    }
    return """
      \(origin)
      # Rules

      `ptdump-lint explain RULE` prints the same, by id or by name.

      | id | name | severity | summary |
      |---|---|---|---|
      \(rows.joined())
      """
  }
}

@Suite struct RulePagesTests {
  private static let folder = Samples.root.appending(path: "docs/rules")

  @Test func pagesAreThoseOfTheRules() throws {
    let pages = RulePage.all
    if ProcessInfo.processInfo.environment["RECORD"] == "1" {
      try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
      for (name, text) in pages {
        try Data(text.utf8).write(to: Self.folder.appending(path: name))
      }
    }
    let present = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(present) == Set(pages.keys))
    for (name, text) in pages {
      let page = try? Data(contentsOf: Self.folder.appending(path: name))
      #expect(page == Data(text.utf8), "\(name) is stale: RECORD=1 swift test --filter RulePages")
    }
  }
}
