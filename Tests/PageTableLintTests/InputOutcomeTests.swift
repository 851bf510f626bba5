import Foundation
import MemoryImages
import Support
import Testing

import PageTableLint

/// A report that one process hands to another says the same there.
@Suite struct InputOutcomeTests {
  private static let inputs = [
    "healthy/memory.elf", "healthy/kernel.txt", "cpa-2008/memory.elf", "cpa-2008/kernel.log",
    "real-failure/memory.elf", "faults/memory.elf", "faults/kernel.log",
    "writable-executable/kernel.txt", "xen/dom0-6.12/memory.elf.xz",
    "configurations/pae/memory.elf.xz", "arm64/612-4k52-kpti/memory.elf.xz",
    "arm64/612-rodata-off/kernel.txt", "rules/PT001/fires.txt",
  ]

  private func report(_ path: String) throws -> Linter.Report {
    let reader = InputReader()
    let file = Samples.root.appending(path: "samples/\(path)").path
    var subject = try reader.read(try InputReader.inputs([file])[0])
    try reader.takeLog(&subject)
    return Linter.run(subject).lettingGo(withFigures: true)
  }

  @Test(arguments: inputs) func saysTheSame(_ path: String) throws {
    let own = try report(path)
    let bytes = try InputOutcome(of: { own }).bytes()
    let taken = try InputOutcome(bytes: bytes).report(nil)
    func results(_ report: Linter.Report) -> CheckResult {
      CheckResult([report], failOn: .warning, allowIncomplete: false, version: "0")
    }
    for format in CheckFormat.allCases where format != .html {
      for detail in [TextReport.Detail.quiet, .normal, .verbose] {
        let style = TextStyle(color: false)
        #expect(
          try format.report(results(own), detail: detail, style: style)
            == format.report(results(taken), detail: detail, style: style), "\(format)")
      }
    }
  }

  @Test func errorsAreTheSame() throws {
    let error = ImageError("core", offset: 4096, "is cut", advice: "copy it again", cause: .disk)
    let outcome = try InputOutcome(bytes: try InputOutcome(of: { throw error }).bytes())
    #expect(throws: error) { try outcome.report(nil) }
    let usage = UsageError("no area is named lower")
    let wrong = try InputOutcome(bytes: try InputOutcome(of: { throw usage }).bytes())
    #expect(throws: usage) { try wrong.report(nil) }
  }

  /// A process that was taken over may hand over anything.
  @Test(arguments: ["", "{}", "[1]", "{\"report\":{\"_0\":{}}}"])
  func nonsenseIsRefused(_ text: String) {
    #expect(throws: (any Error).self) { try InputOutcome(bytes: Array(text.utf8)) }
  }
}
