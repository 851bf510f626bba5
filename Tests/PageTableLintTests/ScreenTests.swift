import Foundation
import Support
import Testing

/// Reports on a terminal: they fit its width, no word is cut, and titles stand out.
@Suite struct ScreenTests {
  static let commands = [
    "check samples/real-failure/memory.elf", "check samples/cpa-2008/memory.elf",
    "fault samples/faults/memory.elf", "cpa samples/cpa-2008/memory.elf",
    "dump samples/healthy-pti/memory.elf", "dump samples/arm64/73-4k48-kpti/memory.elf.xz",
    "diff samples/healthy/kernel.txt samples/healthy-pti/kernel.txt",
    "diff samples/healthy/memory.elf samples/real-failure/memory.elf",
  ]

  /// What a command shows on a terminal of that width, a line each.
  private func screen(_ command: String, _ columns: Int) throws -> [String] {
    let run = try ProgramRun.shell(
      "export program=\"$0\" root=\"$1\" && script -qec 'stty cols \(columns) && cd \"$root\""
        + " && env -u NO_COLOR TERM=xterm \"$program\" \(command) 2> /dev/null'"
        + " /dev/null < /dev/null")
    return run.output.split(whereSeparator: \.isNewline).map(String.init)
  }

  private func words(_ text: String) -> [Substring] {
    // Titles of two lines have one more of these.
    text.split { $0 == " " || $0 == "\n" }.filter { $0 != "#" }
  }

  @Test(arguments: commands, [60, 100, 200])
  func linesFit(_ command: String, _ columns: Int) throws {
    let lines = try screen(command, columns).map {
      $0.replacing(/\u{1b}\[[0-9]{1,2}m/, with: "")
    }
    for line in lines {
      // Some symbols are longer than any terminal.
      let isOneWord = line.split(separator: " ").count == 1
      #expect((line.count <= columns || isOneWord) && line.last != " ", "\(line)")
      // An owner without what it owns says nothing.
      #expect(!line.hasSuffix(" in"), "\(line)")
    }
    let plain = try ProgramRun(command.split(separator: " ").map(String.init)).output
    #expect(words(lines.joined(separator: "\n")) == words(plain))
  }

  @Test func titlesStandOut() throws {
    let lines = try screen("check samples/real-failure/memory.elf", 100)
    let (bold, red, plain) = ("\u{1b}[1m", "\u{1b}[31m", "\u{1b}[0m")
    #expect(lines[0] == "\(bold)samples/real-failure/memory.elf:\(plain)")
    let title = "\(bold)\(red)error\(plain): \(bold)PT301 cpa-not-shattered: "
    #expect(lines[1].hasPrefix(title) && lines[1].hasSuffix(plain))
  }

  /// By the finding once, and by the self-test's verdict once.
  @Test func whatIsSaidOfManyAddressesIsSaidOnce() throws {
    let output = try ProgramRun(["check", "samples/real-failure/memory.elf"]).output
    #expect(output.ranges(of: "The test asked to set bit 9").count == 2)
    #expect(output.contains("0xffff975bc8c69000 and 29 more: The test asked"))
  }

  @Test func reportsWithoutEntriesClaimNone() throws {
    let run = try ProgramRun.shell(
      "echo 'general protection fault, probably for non-canonical address 0xdead000000000108:"
        + " 0000 [#1] PREEMPT SMP PTI' | \"$0\" fault -")
    #expect(run.output.contains("why: no canonical address"))
    #expect(!run.output.contains("its entries"))
  }
}
