import Foundation
import Support
import Testing

/// Kernels before 4.20, whose direct map lies elsewhere.
@Suite struct OldKernelTests {
  @Test(arguments: [
    ("3.10.txt", "0xffff880000000000"), ("2.6.26.txt", "0xffff810000000000"),
  ])
  func theFirstGigabyteIsFound(_ dump: String, _ start: String) throws {
    let run = try ProgramRun([
      "check", "--assume", "pti=off", "--format", "json", "samples/old/\(dump)",
    ])
    let findings = try run.json()["findings"] as? [[String: Any]] ?? []
    let grave = findings.filter { $0["severity"] as? String != "note" }
    #expect(run.status == 1 && grave.count == 1)
    #expect(grave.first?["rule"] as? String == "PT201")
    #expect(grave.first?["area"] as? String == "direct map")
    #expect((grave.first?["range"] as? [String: Any])?["start"] as? String == start)
    #expect(grave.first?["pages"] as? Int == 262_144)
  }

  @Test func theHealthyOneIsFreeOfFindings() throws {
    let run = try ProgramRun(["check", "--assume", "pti=off", "samples/old/3.10-healthy.txt"])
    #expect(run.status == 0 && run.output.contains("0 errors, 0 warnings"))
  }

  @Test func theLogOfThatBootIsTaken() throws {
    let run = try ProgramRun(["cpa", "samples/old/3.10.log", "samples/old/3.10.txt"])
    #expect(run.status == 1)
    #expect(run.output.contains("Verdict: real-failure"))
    #expect(run.output.contains("The tables agree"))
  }
}
