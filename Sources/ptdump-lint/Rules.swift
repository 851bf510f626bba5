import ArgumentParser
import PageTableLint

enum RulesFormat: String, CaseIterable { case text, table, json }

struct Rules: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "The rule list.",
    discussion: """
      EXAMPLES:
        ptdump-lint rules
        ptdump-lint rules --format json

      EXIT STATUS:
        0  Done.
        2  Wrong usage.
      """)

  @OptionGroup(title: "Report options") var report: ReportOptions<RulesFormat>

  func run() throws {
    try report.write { format, _ in
      switch format {
      case .json: try JSONReport.rules()
      case .text, .table:
        Rule.all.map { rule in
          "\(rule.id) \(rule.severity.rawValue) \(rule.name): \(rule.summary) "
            + "(\(rule.serves.inWords))\n"
        }.joined()
      }
    }
  }
}

enum ExplainFormat: String, CaseIterable { case text, markdown, json }

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "One rule, whole.",
    discussion: """
      EXAMPLES:
        ptdump-lint explain PT201
        ptdump-lint explain global-mixed --format json

      EXIT STATUS:
        0  Done.
        2  Wrong usage, or no rule has that name.
      """)

  @OptionGroup(title: "Report options") var report: ReportOptions<ExplainFormat>
  @Argument(help: "A rule's id or name.") var rule: String

  func run() throws {
    let found = try RuleChoice.rule(named: rule)
    try report.write { format, style in
      switch format {
      case .json: try JSONReport.explain(found)
      case .markdown: RulePage.page(found)
      case .text: RulePage.text(found, style: style)
      }
    }
  }
}
