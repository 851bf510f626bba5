import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// The processors' own protections: out of notes and logs, as facts, and judged.
@Suite struct ProtectionTests {
  private func facts(_ log: String) -> [Protection: Fact<Bool>] {
    Subject(log: LogReports(log), path: "log").facts.protections
  }

  @Test(arguments: [
    ("healthy", true), ("qemu64", false), ("pae-qemu32", false), ("two-cpus", true),
  ])
  func notesTellThem(_ sample: String, _ isProtected: Bool) throws {
    let facts = try Samples.image(sample).facts.protections
    #expect(facts[.writeProtect]?.value == true)
    #expect(facts[.userExecution]?.value == isProtected)
    #expect(facts[.userAccess]?.value == isProtected)
    #expect(facts[.userExecution]?.source.hasPrefix("CR4 (QEMU note): 0x") == true)
    #expect(facts[.noExecute] == nil)
  }

  @Test func oneProcessorIsEnough() throws {
    var known = KernelFacts()
    let on = X86.x86_64.protections(in: ["CR0": 0x8005_0033, "CR4": 0x30_00a0])
    let off = X86.x86_64.protections(in: ["CR0": 0x8005_0033, "CR4": 0x10_00a0])
    let waiting = X86.x86_64.protections(in: ["CR0": 0x6000_0010, "CR4": 0])
    #expect(waiting.isEmpty)
    known.take([on, waiting, off], source: "(QEMU note)")
    #expect(known.protections[.userExecution]?.value == true)
    #expect(known.protections[.userAccess]?.value == false)
    #expect(
      known.protections[.userAccess]?.source == "CR4 of processor 3 (QEMU note): 0x1000a0")
  }

  @Test func logsTellThem() {
    let oops = """
      [   12.000001] CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033
      [   12.000002] CR2: ffff888001e00000 CR3: 000000000182c000 CR4: 00000000007506b0

      """
    let late = facts("[    0.000000] Linux version 6.12.0 (a@b)\n" + oops)
    #expect(late[.writeProtect]?.value == true && late[.userAccess]?.value == true)
    #expect(late[.userInstructions]?.value == false)
    #expect(late[.writeProtect]?.source.contains("(the log)") == true)
    // What comes before the processors are up says nothing of how the kernel runs.
    #expect(facts(oops + "[   13.000000] smp: Brought up 1 node, 4 CPUs\n").isEmpty)
    // QEMU's monitor, and 32 bits.
    let monitor = facts(
      "[    1.000000] Linux version 6.12.0\nCR0=80050033 CR2=00000000 CR4=00100ef0\nEFER=0000000000000d01\n"
    )
    #expect(monitor[.noExecute]?.value == true && monitor[.userAccess]?.value == false)
    // A register that is cut off is none.
    #expect(facts("[    1.000000] Linux version 6.12.0\nCS: 0010 CR0: 8005\n").isEmpty)
  }

  @Test func infoAndJSONListThem() throws {
    let text = try ProgramRun(["info", "samples/healthy/memory.elf"]).output
    #expect(text.contains("\n  smep: on  (CR4 (QEMU note): 0x7506b0)\n"))
    let document = try ProgramRun(["info", "--format", "json", "samples/healthy/memory.elf"]).json()
    let facts = try #require(document["facts"] as? [String: [String: String]])
    #expect(facts["wp"]?["value"] == "on" && facts["umip"]?["value"] == "off")
  }

  /// The kernel's own complaint goes into the evidence; a bit that the kernel has not pinned is none
  /// of the rule's.
  @Test func theLogIsEvidence() throws {
    var subject = try Fixtures.subject("PT012", "fires")
    subject.log = Fact("[   40.1] pinned CR4 bits changed: 0x200000!?\n", "a log")
    let finding = try #require(Linter.run(subject).findings.first)
    #expect(finding.evidence.contains { $0.text(subject.mode).contains("bits changed: 0x200000") })
    let tables = try Fixtures.text("PT012", "fires.tables").replacing(
      "0: 0x300000", with: "0: 0x100000")
    #expect(
      Linter.run(try Fixtures.subject(tables: DeclaredTables(tables))).findings.isEmpty)
  }
}
