/// What a rule says of itself, as a page of Markdown; docs/rules is made of these.
package enum RulePage {
  private static let origin = """
    <!-- Made from Sources/PageTableLint/Rules by RECORD=1 swift test --filter RulePages -->

    """
  private static let labels = [
    "What", "Why", "How Linux should look", "False alarm", "Fix", "References",
  ]

  /// A rule's documentation, cut at its labels.
  package static func sections(_ rule: Rule) -> [(label: String, text: String)] {
    var sections: [(label: String, text: String)] = []
    for line in rule.documentation.split(separator: "\n") {
      if let label = labels.first(where: { line.hasPrefix("\($0):") }) {
        let text = line.dropFirst(label.count + 1).drop { $0 == " " }
        sections.append((label: label, text: capitalised(text)))
      } else if !sections.isEmpty {
        let last = sections.count - 1
        sections[last].text += (sections[last].text.isEmpty ? "" : "\n") + line
      }
    }
    return sections
  }

  /// A sentence's first letter is large, but for the name of a function or variable.
  private static func capitalised(_ text: Substring) -> String {
    let isName = text.prefix { $0 != " " }.contains { "_(".contains($0) }
    return isName ? String(text) : text.prefix(1).uppercased() + text.dropFirst()
  }

  /// A rule for people, its paragraphs in the terminal's width.
  package static func text(_ rule: Rule, style: TextStyle) -> String {
    let documentation =
      style.width == nil
      ? rule.documentation
      : rule.documentation.reflowed { line in
        labels.contains { line.hasPrefix("\($0):") }
      }
    return style.bold("\(rule.id) \(rule.name)")
      + " (\(rule.severity.rawValue)): \(rule.summary)\n\n\(documentation)\n"
  }

  /// By file name.
  package static var all: [String: String] {
    var pages = ["README.md": overview]
    for rule in Rule.all { pages["\(rule.id).md"] = page(rule) }
    return pages
  }

  package static func page(_ rule: Rule) -> String {
    let needs =
      rule.needs.isEmpty
      ? "Needs nothing else.\n"
      : "Needs\n\n" + rule.needs.map { "- \(cut($0.inWords, after: 2))\n" }.joined()
    let body = sections(rule).map { "\n## \($0.label)\n\n\($0.text)\n" }.joined()
    return """
      \(origin)
      # \(rule.id) \(rule.name)

      **\(rule.severity.rawValue)**: \(rule.summary)

      Serves \(rule.serves.inWords).

      \(needs)\(body)
      """
  }

  /// Lines of at most 100 columns, behind what stands in the first `indent`.
  private static func cut(_ text: String, after indent: Int) -> String {
    let blanks = String(repeating: " ", count: indent)
    return String(text.wrapped(to: 100, first: blanks, further: blanks).dropFirst(indent))
  }

  private static var overview: String {
    let rows = Rule.all.sorted { $0.id < $1.id }.map { rule in
      "| [\(rule.id)](\(rule.id).md) | \(rule.name) | \(rule.severity.rawValue) "
        + "| \(rule.serves.names.joined(separator: ", ")) | \(rule.summary) |\n"
    }
    return """
      \(origin)
      # Rules

      `ptdump-lint explain RULE` prints the same, by id or by name.

      | id | name | severity | serves | summary |
      |---|---|---|---|---|
      \(rows.joined())
      """
  }
}
