import Foundation
import KernelImages
import PageTableLint
import Support
import Testing

/// An image whose symbols nothing tells does not pass without a word.
@Suite struct SymbolsNotFoundTests {
  private static let stripped = "samples/hostile/prb-ok.elf.xz"
  private static let words = "the kernel's symbols were not found"

  /// Every format says so, and what to do.
  @Test(arguments: CheckFormat.allCases)
  func eachFormatSaysSo(_ format: CheckFormat) throws {
    let run = try ProgramRun(["check", "--no-config", "--format", format.rawValue, Self.stripped])
    #expect(run.status == 0)
    #expect(run.output.contains("--symbols FILE"))
    if format == .text { #expect(run.output.contains(", without symbols")) }
  }

  /// The rules that it counts are those that symbols alone keep from running: none of them is
  /// skipped in the same way where symbols are told.
  @Test func rulesAreCounted() throws {
    let document = try ProgramRun(["check", "--no-config", "--format", "json", Self.stripped])
      .json()
    let input = try #require((document["inputs"] as? [[String: Any]])?.first)
    let missing = try #require(input["symbolsNotFound"] as? [String: Any])
    let skipped = try #require(document["skippedRules"] as? [[String: Any]])
    let reasons = ["symbol", "frames the kernel image has", "page-table isolation is on: give"]
    let bySymbols = skipped.filter { skipped in
      reasons.contains { (skipped["reason"] as? String)?.contains($0) == true }
    }
    #expect(missing["rulesSkipped"] as? Int == bySymbols.count)
    #expect(bySymbols.count > 5)
    let text = try ProgramRun(["check", "--no-config", Self.stripped]).output
    #expect(text.contains("\(Self.words), so \(bySymbols.count) rules could not run"))
  }

  @Test func infoSaysSo() throws {
    let document = try ProgramRun(["info", "--format", "json", Self.stripped]).json()
    let missing = try #require(document["symbolsNotFound"] as? [String: Any])
    #expect(missing["rulesSkipped"] == nil && missing["advice"] != nil)
  }

  /// Texts never have any, and images with symbols lack nothing.
  @Test(arguments: ["samples/healthy/kernel.txt", "samples/healthy/memory.elf"])
  func othersSayNothing(_ input: String) throws {
    let text = try ProgramRun(["check", "--no-config", input]).output
    #expect(!text.contains(Self.words) && !text.contains("without symbols"))
    let document = try ProgramRun(["check", "--no-config", "--format", "json", input]).json()
    let record = try #require((document["inputs"] as? [[String: Any]])?.first)
    #expect(record["symbolsNotFound"] == nil)
  }

  /// A rule that needs none is not counted, though the remark stands.
  @Test func choiceOfRulesCounts() throws {
    let text = try ProgramRun(["check", "--no-config", "--only", "PT001", Self.stripped]).output
    #expect(text.contains("\(Self.words): give --symbols FILE"))
  }

  /// What may differ from the kernel's own text is no success.
  @Test func assumedMarkersAreSaid() throws {
    let assumed = try ProgramRun(["dump", "--style", "kernel", Self.stripped])
    #expect(assumed.status == 3)
    #expect(assumed.errors.contains("the markers are assumed"))
    #expect(assumed.output.contains("---[ Low Kernel Mapping ]---"))
    #expect(try ProgramRun(["dump", Self.stripped]).status == 0)
    for told in ["samples/healthy/memory.elf", "samples/healthy/kernel.txt"] {
      let run = try ProgramRun(["dump", "--style", "kernel", told])
      #expect(run.status == 0 && run.errors.isEmpty, "\(told)")
    }
  }
}
