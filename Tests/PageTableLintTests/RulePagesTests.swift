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
}
