import Foundation
import KernelImages
import KernelText
import PageTableLint
import PageTables
import Support
import Testing

/// A log of another boot is not combined, by any command; the status is as without it.
@Suite struct LogCombinationTests {
  private func subject(text sample: String) throws -> Subject {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: Samples.path(sample, "kernel.txt"))))
    return try Subject(text: KernelText.parse(bytes.span), path: sample)
  }

  /// Each sample's text with each sample's log: its own is taken, any other is refused.
  @Test(arguments: Samples.all)
  func onlyItsOwnLogIsTaken(_ sample: String) throws {
    for other in Samples.all {
      var subject = try subject(text: sample)
      let reason = subject.take(log: try Samples.text(other, "kernel.log"), userRelease: nil)
      #expect((reason == nil) == (other == sample), "\(sample) with \(other): \(reason ?? "taken")")
    }
  }

  @Test func imagesTakeOnlyTheirOwnLog() throws {
    for sample in ["healthy", "cpa-pti"] {
      let image = try Samples.image(sample)
      for other in Samples.all {
        var subject = Subject(image: image)
        let reason = subject.take(log: try Samples.text(other, "kernel.log"), userRelease: nil)
        #expect((reason == nil) == (other == sample), "\(sample) with \(other)")
      }
    }
  }

  /// A log that says nothing of its boot contradicts nothing.
  @Test(arguments: ["", "[    1.000000] hello\n", "BUG: something\n"])
  func aLogWithoutStampsIsTaken(_ log: String) throws {
    var subject = try subject(text: "healthy")
    #expect(subject.take(log: log, userRelease: nil) == nil)
  }

  @Test(arguments: [
    ("last_pfn = 0xffe0 max_arch_pfn = 0x400000000", true),
    ("last_pfn = 0xffdf max_arch_pfn = 0x400000000", false),
    ("last_pfn = 0x10000 max_arch_pfn = 0x400000000", false),
    ("last_pfn = 0xffe0 max_arch_pfn = 0x10000000000", false),
    ("last_pfn = 0xffe0 max_arch_pfn = 0x1000000", false),
    ("last_pfn = 0xf000 max_arch_pfn = 0x400000000\nvirtio_mem virtio0: plugged", true),
    ("Kernel/User page tables isolation: enabled", false),
    ("Kernel/User page tables isolation: disabled on command line.", true),
    ("NX (Execute Disable) protection: active", true),
    ("NX (Execute Disable) protection: disabled by kernel command line option", false),
  ])
  func oneLineContradicts(_ line: String, _ fits: Bool) throws {
    let subject = try subject(text: "healthy")
    #expect((subject.contradiction(of: line) == nil) == fits, "\(line)")
  }

  /// After the crashed kernel's boot that of the crash kernel may follow, or stand before it.
  @Test func anyBootOfALogMayBeTheOne() throws {
    let own = try Samples.text("healthy", "kernel.log")
    let other = "Linux version 5.0.0 (x)\nlast_pfn = 0x1000 max_arch_pfn = 0x400000000\n"
    let subject = try subject(text: "healthy")
    #expect(subject.contradiction(of: own + other) == nil)
    #expect(subject.contradiction(of: other + own) == nil)
    #expect(subject.contradiction(of: other) != nil)
  }

  /// The refusal stands in each format, and the status is as without the log.
  @Test(arguments: CheckFormat.allCases)
  func theRefusalStandsInEachFormat(_ format: CheckFormat) throws {
    let log = "samples/cpa-2008/kernel.log"
    for input in ["samples/healthy/kernel.txt", "samples/healthy/memory.elf"] {
      let without = try ProgramRun(["check", "--format", format.rawValue, input])
      let with = try ProgramRun(["check", "--format", format.rawValue, "--log", log, input])
      #expect(with.status == without.status)
      #expect(with.output.contains("another boot"), "\(input)")
      #expect(!without.output.contains("another boot"))
    }
  }

  @Test func cpaJudgesALogOfAnotherBootAlone() throws {
    let log = "samples/cpa-2008/kernel.log"
    let other = "samples/configurations/userland-1g/memory.elf.xz"
    let alone = try ProgramRun(["cpa", "--format", "json", log])
    let with = try ProgramRun(["cpa", "--format", "json", log, other])
    #expect(with.status == alone.status)
    let refused = try with.json()["inputRefused"] as? [String: Any]
    #expect(refused?["path"] as? String == other)
    #expect(try ProgramRun(["cpa", log, other]).output.contains("is not used"))
    #expect(try alone.json()["inputRefused"] == nil)
  }

  @Test func diffSaysTheSame() throws {
    let pair = ["samples/healthy/memory.elf", "samples/healthy/kernel.txt"]
    let without = try ProgramRun(["diff"] + pair)
    let with = try ProgramRun(["diff", "--log", "samples/cpa-2008/kernel.log"] + pair)
    #expect(with.status == without.status)
  }
}
