import Foundation
import KernelImages
import PageTableLint
import PageTables
import Support
import Testing

/// What the contract says of options that several commands share.
@Suite struct CommandTests {
  private static let image = "samples/cpa-2008/memory.elf"
  private static let text = "samples/healthy/kernel.txt"

  /// Refused with status 2, and never answered with something else.
  @Test(arguments: [
    (["stats", "--table", "0xdeadbeef000", image], "no table at 0xdeadbeef000"),
    (["dump", "--table", "0xdeadbeef000", image], "no table at 0xdeadbeef000"),
    (["walk", "--table", "0xdeadbeef000", image, "0"], "no table at 0xdeadbeef000"),
    (["info", "--table", "0x0", image], "no table at 0x0"),
    (["check", "--table", "user", "samples/healthy/memory.elf"], "no user twin"),
    (["check", "--table", "user", text], "no table user"),
    (["dump", "--table", "efi", text], "no table efi"),
    (["check", "--table", "process", image], "--table takes"),
    (["check", "--only", "PT201", "--skip", "PT201", image], "leave no rule"),
    (["check", "--only", " , ", image], "leave no rule"),
    (["check", "--only", "PT6xx", image], "no rule is named PT6xx"),
    (["dump", "--style", "kernel", "--range", "0x0-0x1000", text], "no --range"),
    (["dump", "--style", "kernel", "--filter", "w", text], "no --filter"),
    (["check", "--format", "json", "--format", "text", text], "one place"),
    (["check", "--format", "json=x", "--format", "text=./x", text], "one place"),
    (["info", "--format", "json", "--format", "text=/dev/stdout", text], "one place"),
    (["check", "--log", "Package.swift", text], "no kernel log"),
    (["cpa", "--log", "Package.swift", "samples/cpa-2008/kernel.log", image], "no kernel log"),
    (["check", "--mode", "x86-64-6level", text], "i386-pae"),
    (["check", "--assume", "smep=on", text], "no fact is named smep"),
    (["walk", image, "no_such_symbol"], "no symbol no_such_symbol"),
    (["walk", image, "0xz"], "is no address"),
    (["check", "--range", "0x2000-0x1000", image], "is empty"),
    (["check", "--filter", "w &", image], "character 4"),
    (["chekc", image], "did you mean ptdump-lint check?"),
    (["chec"], "did you mean ptdump-lint check?"),
    (["explian", "PT201"], "did you mean ptdump-lint explain?"),
    (["help", "nope"], "no command is named nope"),
    (["help", "chekc"], "did you mean ptdump-lint help check?"),
    (["vmcore"], "cannot open"),
  ])
  func isRefused(_ arguments: [String], _ reason: String) throws {
    let run = try ProgramRun(arguments)
    #expect(run.status == 2, "\(arguments)")
    #expect(run.errors.contains(reason), "\(arguments): \(run.errors)")
    #expect(run.output == "")
  }

  @Test func rulesAreChosenByFamilyNameAndList() throws {
    func ids(_ only: [String], _ skip: [String] = []) throws -> [String] {
      try RuleChoice.rules(only: only, skip: skip).map(\.id)
    }
    let global = Rule.all.map(\.id).filter { $0.hasPrefix("PT2") }
    #expect(try ids(["PT2"]) == global)
    #expect(try ids(["pt2"], [" PT201 ,PT202 "]) == global.filter { $0 > "PT202" })
    #expect(try ids(["global-mixed, PT001", "PT901"]) == ["PT001", "PT201", "PT901"])
    #expect(try ids([], ["PT9"]).allSatisfy { !$0.hasPrefix("PT9") })
    #expect(throws: UsageError.self) { try ids(["PTX"]) }
  }

  /// Each format names the range, and what needs the whole did not run.
  @Test(arguments: CheckFormat.allCases)
  func theRangeIsNamed(_ format: CheckFormat) throws {
    let run = try ProgramRun([
      "check", "--range", "0xffff888080000000-0x0", "--only", "PT004", "--format", format.rawValue,
      Self.image,
    ])
    #expect(run.output.contains("0xffff888080000000"))
    if format == .text { #expect(run.output.contains("of a part only")) }
  }

  @Test func rulesThatCompareAreSkippedForAPart() throws {
    for part in [["--range", "0xffff888000000000+1G"], ["--filter", "!global & present"]] {
      let run = try ProgramRun(["check", "--format", "json"] + part + [Self.image])
      let document = try run.json()
      let skipped = document["skippedRules"] as? [[String: Any]] ?? []
      #expect(skipped.contains { $0["rule"] as? String == "PT201" }, "\(part)")
      let rules = (document["findings"] as? [[String: Any]] ?? []).map { $0["rule"] as? String }
      #expect(!rules.contains("PT201"))
    }
  }

  /// Symbols, offsets and sizes say the same as the addresses that they stand for.
  @Test func addressesInEachForm() throws {
    let subject = Subject(image: try Samples.image("cpa-2008"))
    let text = try #require(subject.symbols?["_text"])
    let end = try #require(subject.symbols?["_etext"])
    func address(_ expression: String) throws -> UInt64 {
      try AddressExpression(expression).address(in: subject)
    }
    func range(_ expression: String) throws -> ClosedRange<UInt64> {
      try AddressExpression(expression).range(in: subject)
    }
    #expect(try address("_text") == text)
    #expect(try address("_text+0x10") == text + 16)
    #expect(try address("ffffffff81000000") == 0xffff_ffff_8100_0000)
    #expect(try range("_text-_etext") == text...(end - 1))
    #expect(try range("_text+2M") == text...(text + (2 << 20) - 1))
    #expect(try range("0x1000+0x1000") == 0x1000...0x1fff)
    #expect(try range("0xffff888000000000-0x0") == 0xffff_8880_0000_0000...(.max))
    for wrong in ["0xffffffffffffff00+0x1000", "0x1000+0x0", "_etext-_text"] {
      #expect(throws: (any Error).self) { try range(wrong) }
    }
    for wrong in ["", "-", "+", "1-2-3", "a b", "_text+", "+0x10", "0x"] {
      #expect(throws: UsageError.self) { try AddressExpression(wrong) }
    }
  }

  @Test(arguments: [
    [], ["check"], ["fault"], ["cpa"], ["decode"], ["walk"], ["rmap"], ["dump"], ["stats"],
    ["info"], ["diff"], ["extract"], ["rules"], ["explain"],
  ])
  func helpEndsWithExamplesAndStatuses(_ command: [String]) throws {
    let help = try ProgramRun(command + ["--help"]).output
    let closing = try #require(help.components(separatedBy: "\n\nEXAMPLES:\n").last)
    let parts = closing.components(separatedBy: "\n\nEXIT STATUS:\n")
    #expect(parts.count == 2 && help.contains("OPTIONS:") && !closing.contains("OPTIONS:"))
    let examples = parts[0].split(separator: "\n")
    #expect(examples.count == (command.isEmpty ? 3 : 2))
    #expect(examples.allSatisfy { $0.contains("ptdump-lint") })
    #expect(parts[1].contains("  0  ") && parts[1].contains("  2  "))
    #expect(help.split(separator: "\n").allSatisfy { !$0.hasPrefix(" ") || $0.count <= 80 })
    // A line that is too wide goes on at the margin.
    #expect(parts[1].split(separator: "\n").allSatisfy { $0.hasPrefix("  ") })
  }
}
