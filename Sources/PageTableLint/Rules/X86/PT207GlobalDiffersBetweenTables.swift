internal import MemoryImages
internal import PageTables

extension Rule {
  /// One address, global in one of PTI's two tables and not in the other.
  static let globalDiffersBetweenTables = Rule(
    id: "PT207", name: "global-differs-between-tables", severity: .error,
    summary: "PTI's two tables disagree on the global bit",
    serves: .x86, needs: [.physicalAddresses, .ptiOn, .globalPages, .userTwin],
    documentation: """
      What: an address of the kernel's half that both of PTI's tables map, with the global bit in
      one of them only.
      Why: a global translation is used with either table. What one table maps as global must be the
      same in the other. Else user mode keeps what the kernel's table said, or the kernel what the
      user's said.
      How Linux should look: pti_clone_pgtable() sets the bit in both tables or in none.
      False alarm: none known. Sizes may differ: what is compared is each address.
      Fix: see what changed one of the tables alone.
      References:
      - arch/x86/mm/pti.c, Linux 6.12: pti_clone_pgtable
      """, comparesParts: true
  ) { rule, subject in
    guard let twin = subject.userTwin else { return [] }
    let mode = twin.space.mode
    let bad = subject.kernel.sharedParts(with: twin).lazy.filter { own, other in
      (own.flags ^ other.flags) & mode.global != 0
    }.map(\.other)
    return grouped(Array(bad), twin).map { area, runs in
      let isGlobal = runs[0].flags & mode.global != 0
      return Finding(
        rule,
        "\(total(runs)) global in \(isGlobal ? "the user's" : "the kernel's") table alone",
        in: twin, runs: runs, area: area, evidence: evidence(runs, subject, twin),
        help: "see what changed one of the two tables alone")
    }
  }
}
