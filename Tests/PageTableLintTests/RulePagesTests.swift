import Foundation
import PageTableLint
import Support
import Testing

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

  /// On a terminal paragraphs are broken anew at its width, and nowhere else.
  @Test(arguments: Rule.all.map(\.id)) func textFitsATerminal(_ id: String) throws {
    let rule = try #require(Rule.named(id))
    func words(_ text: String) -> [Substring] { text.split { $0 == " " || $0 == "\n" } }
    let plain = RulePage.text(rule, style: TextStyle(color: false))
    let narrow = TextStyle(color: false, width: 60)
    let text = narrow.fitted(RulePage.text(rule, style: narrow))
    #expect(words(text) == words(plain))
    let lines = text.split(separator: "\n")
    for (line, next) in zip(lines, lines.dropFirst()) where next.hasPrefix("  ") {
      let word = next.split(separator: " ").first ?? ""
      #expect(line.count <= 60 || !line.contains(" "), "\(line)")
      #expect(line.count + 1 + word.count > 60, "broken early: \(line)")
    }
  }
}
