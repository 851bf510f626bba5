internal import PageTables

extension Rule {
  /// Table pointers that lead back to where they come from.
  static let tableSelfReference = Rule(
    id: "PT505", name: "table-self-reference", severity: .error,
    summary: "a table pointer leads back to its own tree", needs: [.physicalAddresses],
    documentation: """
      What: an entry that leads to the table that holds it, or to one on the way to it.
      Why: the tables themselves become memory that can be read and written at that address. Linux
      never does so on x86; what does has taken over a table.
      How Linux should look: none.
      False alarm: tables of another system (Windows maps its own at entry 0x1ed), or a root that is
      none.
      Fix: see what overwrote the entry.
      References:
      - Documentation/arch/x86/x86_64/mm.rst, Linux 6.12: no such area
      """, explainsWhatLiesBelow: true, judgesTables: true
  ) { rule, subject in
    anomaliesByTable(subject) { $0 == .tableCycle }.map { table, found in
      let mode = table.space.mode
      return Finding(
        rule,
        found.count == 1
          ? "a table pointer leads back to the tables above it"
          : "\(found.count) table pointers lead back to the tables above them", in: table,
        runs: found.map(run), entry: found.first?.entry,
        evidence: found.prefix(3).map {
          .pointer($0.entry, address: $0.address)
        }, help: "see what overwrote the entry")
    }
  }
}
