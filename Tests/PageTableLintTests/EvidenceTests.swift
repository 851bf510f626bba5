import PageTableLint
import PageTables
import Support
import Testing

/// What speaks for a finding is data; a report makes the sentence.
@Suite struct EvidenceTests {
  @Test func placesAndOwnersAreData() throws {
    let report = Linter.run(Subject(image: try Samples.image("cpa-2008")))
    let finding = try #require(report.findings.first { $0.rule.id == "PT201" })
    let owner = finding.evidence.contains {
      if case .words(let words) = $0 { words.hasSuffix("is level2_ident_pgt") } else { false }
    }
    #expect(owner)
    let facts = finding.evidence.compactMap { evidence -> String? in
      if case .fact(let fact, let source) = evidence, !source.isEmpty { fact } else { nil }
    }
    #expect(facts.count == 1 && facts[0].hasSuffix("PTI is off"))
  }

  @Test func aMappingIsData() throws {
    let report = Linter.run(Subject(image: try Samples.image("writable-executable")))
    let finding = try #require(report.findings.first { $0.rule.id == "PT001" })
    guard case .mapping(let run) = finding.evidence.first else {
      Issue.record("no mapping")
      return
    }
    #expect(run.start == finding.start && run.flags.contains("RW"))
    let text = finding.evidence[0].text(report.subject.mode)
    #expect(text.hasPrefix("\(run.start.address)-") && text.contains(" RW "))
  }

  @Test(
    arguments: [
      (.pointer(0x1067, address: 0xc000_0000), "0xc0000000: the table pointer 0x1067"),
      (
        .owner("swapper_pg_dir", tableOf: 0xc000_0000),
        "the page table of 0xc0000000 is swapper_pg_dir"
      ),
      (.fact("PTI is on", source: "the log"), "PTI is on (the log)"),
      (.logLine(12, "BUG: x"), "log line 12: BUG: x"),
      (.consequence(rule: "PT001", message: "m"), "so PT001, too: m"), ("words", "words"),
    ] as [(Evidence, String)])
  func sentences(_ evidence: Evidence, _ text: String) {
    #expect(evidence.text(.i386PAE) == text)
  }
}
