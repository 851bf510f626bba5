import ArgumentParser
import PageTableLint

struct Rules: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "The rule list.")

  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }
  @Option(help: "table or json.") var format: Format = .table

  func run() throws {
    switch format {
    case .json: print(try JSONReport.rules())
    case .table:
      for rule in Rule.all {
        print(
          "\(rule.id) \(rule.severity.rawValue) \(rule.name): \(rule.summary) "
            + "(\(rule.serves.inWords))")
      }
    }
  }
}

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "One rule, whole.")

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, markdown }
  @Option(help: "text or markdown.") var format: Format = .text
  @Argument(help: "A rule's id or name.") var rule: String

  func run() throws {
    let found = try RuleChoice.rule(named: rule)
    switch format {
    case .markdown: print(RulePage.page(found), terminator: "")
    case .text:
      print("\(found.id) \(found.name) (\(found.severity.rawValue)): \(found.summary)\n")
      print(found.documentation)
    }
  }
}
