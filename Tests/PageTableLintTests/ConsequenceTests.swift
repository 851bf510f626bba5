import PageTableLint
import PageTables
import Support
import Testing

@Suite struct ConsequenceTests {
  private func rule(_ id: String) throws -> Rule { try #require(Rule.named(id)) }

  private func findings(_ id: String, _ count: Int, in table: Table) throws -> [Finding] {
    let rule = try rule(id)
    return (0..<UInt64(count)).map { number in
      let start = 0xffff_9000_0000_0000 + number << 21
      let run = Run(start: start, last: start + 0x1f_ffff, kind: .leaf, level: 1)
      return Finding(rule, "\(number)", in: table, runs: [run], help: "")
    }
  }

  /// Each finding asks the few that lie in its place: 32,000 of them took nine seconds.
  @Test(.timeLimit(.minutes(1))) func manyFindingsHaveManyCauses() throws {
    let text = try Fixtures.text("PT503", "fires.tables")
    let table = try Fixtures.subject(tables: DeclaredTables(text)).kernel
    let causes = try findings("PT503", 32_000, in: table)
    let judged = try (causes + findings("PT001", 32_000, in: table)).withoutConsequences
    #expect(judged.count == causes.count)
    #expect(judged.allSatisfy { $0.evidence.count == 1 && $0.rule.id == "PT503" })
    #expect(
      judged.last?.evidence == [.consequence(rule: "PT001", message: "31999")])
    // What spans two causes is no consequence of one.
    let wide = Finding(
      try rule("PT001"), "wide", in: table,
      runs: [
        Run(
          start: 0xffff_9000_0000_0000, last: 0xffff_9000_003f_ffff, kind: .leaf, level: 1)
      ], help: "")
    #expect((causes + [wide]).withoutConsequences.count == causes.count + 1)
  }

  /// A finding that leans on other addresses is explained by what is wrong there, where its rule gives
  /// way to that: a mapping held against the direct map's of its frame.
  @Test func whatAFindingLeansOnExplainsIt() throws {
    let text = try Fixtures.text("PT503", "fires.tables")
    let table = try Fixtures.subject(tables: DeclaredTables(text)).kernel
    func finding(
      _ id: String, _ start: UInt64, leansOn premise: UInt64? = nil
    ) throws -> Finding {
      let run = Run(start: start, last: start + 0xfff, kind: .leaf, level: 1)
      return Finding(
        try rule(id), "at \(start)", in: table, runs: [run], help: "",
        premises: premise.map { [$0...($0 + 0xfff)] } ?? [])
    }
    let alias = try finding(
      "PT401", 0xffff_c000_0000_0000, leansOn: 0xffff_8000_0000_0000)
    let cause = try finding("PT405", 0xffff_8000_0000_0000)
    let elsewhere = try finding("PT405", 0xffff_8000_0000_1000)
    #expect([cause, alias].withoutConsequences.map(\.rule.id) == ["PT405"])
    #expect([elsewhere, alias].withoutConsequences.count == 2)
    // Not to any rule, and not the other way round.
    let other = try finding("PT001", 0xffff_8000_0000_0000)
    #expect([other, alias].withoutConsequences.count == 2)
    let stale = try finding("PT305", 0xffff_8000_0000_0000, leansOn: 0xffff_c000_0000_0000)
    let lost = try finding("PT510", 0xffff_c000_0000_0000)
    #expect([stale, lost].withoutConsequences.map(\.rule.id) == ["PT510"])
  }
}
