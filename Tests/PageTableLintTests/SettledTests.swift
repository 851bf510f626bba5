import PageTableLint
import Support
import Testing

/// Tables that move while they are read: looked at until two looks agree.
@Suite struct SettledTests {
  /// What a look can show, by the rule that it breaks.
  private static let defects: [String: (healthy: String, broken: String)] = [
    "PT001": (
      "0xffffffff81400000-0xffffffff81600000           2M     RW         PSE     GLB NX pmd",
      "0xffffffff81400000-0xffffffff81600000           2M     RW         PSE     GLB x  pmd"
    ),
    "PT004": (
      "0xffff888000200000-0xffff888001000000          14M     RW         PSE     GLB NX pmd",
      "0xffff888000200000-0xffff888001000000          14M     RW         PSE     GLB x  pmd"
    ),
    "PT101": (
      "0xffffffff81200000-0xffffffff81400000           2M     ro         PSE     GLB NX pmd",
      "0xffffffff81200000-0xffffffff81400000           2M USR ro         PSE     GLB NX pmd"
    ),
  ]

  /// The report of successive looks, each of which shows the defects of the rules it names.
  ///
  /// - Returns: the report, and how many looks were taken.
  private func settled(_ looks: [[String]]) throws -> (report: Linter.Report, taken: Int) {
    var taken = 0
    let report = try Linter.settled {
      var dump = try Fixtures.text("PT001", "silent.txt")
      for rule in try #require(looks.dropFirst(taken).first, "a look too many") {
        let (healthy, broken) = try #require(Self.defects[rule])
        #expect(dump.contains(healthy))
        dump.replace(healthy, with: broken)
      }
      taken += 1
      return Linter.run(try Fixtures.subject(dump: dump))
    }
    return (report, taken)
  }

  private func lines(_ report: Linter.Report) -> [String] {
    report.findings.map { "\($0.rule.id) \($0.severity)\($0.isPassing ? " passing" : "")" }
  }

  @Test func aLookWithoutFindingsIsEnough() throws {
    let (report, taken) = try settled([[]])
    #expect(taken == 1)
    #expect(lines(report) == [])
  }

  @Test func whatBothLooksShowStands() throws {
    let (report, taken) = try settled([["PT001", "PT101"], ["PT001", "PT101"]])
    #expect(taken == 2)
    #expect(lines(report) == ["PT001 error", "PT101 error"])
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 1)
  }

  @Test func whatGoesBetweenLooksIsANote() throws {
    let (report, taken) = try settled([["PT001"], []])
    #expect(taken == 2)
    #expect(lines(report) == ["PT001 note passing"])
    #expect(
      report.findings.first?.evidence.first
        == "was gone on the second look: the tables move while they are read")
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 0)
  }

  @Test func whatStaysStandsBesideWhatGoes() throws {
    let (report, taken) = try settled([["PT001", "PT101"], ["PT101"]])
    #expect(taken == 2)
    #expect(lines(report) == ["PT101 error", "PT001 note passing"])
  }

  @Test func whatComesIsLookedAtAgain() throws {
    let (report, taken) = try settled([["PT001"], ["PT001", "PT101"], ["PT001", "PT101"]])
    #expect(taken == 3)
    #expect(lines(report) == ["PT001 error", "PT101 error"])
  }

  @Test func whatNoTwoLooksShowIsANote() throws {
    let (report, taken) = try settled([["PT001"], ["PT101"], ["PT001"], ["PT101"]])
    #expect(taken == 4)
    #expect(lines(report).sorted() == ["PT001 note passing", "PT101 note passing"])
  }

  @Test func whatTheLastLookAddsIsANote() throws {
    let (report, taken) = try settled([["PT001"], ["PT004"], ["PT001"], ["PT001", "PT101"]])
    #expect(taken == 4)
    #expect(lines(report) == ["PT001 error", "PT004 note passing", "PT101 note passing"])
    #expect(
      report.findings.last?.evidence.first
        == "was first seen on the fourth look: the tables move while they are read")
  }
}
