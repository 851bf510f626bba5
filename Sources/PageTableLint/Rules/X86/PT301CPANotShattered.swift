internal import PageTables

extension Rule {
  /// Large leaves that change_page_attr should have split.
  static let cpaNotShattered = Rule(
    id: "PT301", name: "cpa-not-shattered", severity: .error,
    summary: "change_page_attr did not carry out a request", serves: .x86, needs: [.selfTest],
    documentation: """
      What: addresses of the CPA self-test whose change was really not made: the request was due,
      and the large page was neither changed nor split.
      Why: the same code carries out set_memory_ro() and its kin: protections are not what was asked
      for, and no caller is told.
      How Linux should look: a change of a part of a large page splits it, unless the page has the
      wanted attributes already.
      False alarm: where the tested bit had the wanted value before the test, nothing was to be
      done, and the rule is silent. It is silent, too, where the request was masked, or a hypervisor
      put the bit back. `ptdump-lint cpa` gives the verdict and the cause of each address.
      Fix: __should_split_large_page() and __change_page_attr() decide it.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: __should_split_large_page
      - arch/x86/mm/pat/cpa-test.c, Linux 6.12
      """
  ) { rule, subject in
    let failures = subject.looking(at: subject.selfTests).flatMap(\.failures).filter {
      $0.verdict == .realFailure
    }
    guard !failures.isEmpty else { return [] }
    let table = subject.kernel
    let runs = failures.map(\.failure.address).sorted().map { address in
      Run(start: address, last: address &+ 4095, kind: .leaf, level: 0)
    }
    let still = failures.filter { failure in
      table.run(at: failure.failure.address).map { $0.isLeaf && $0.level > 1 } ?? false
    }
    var explanations: [String] = []
    for failure in failures where !explanations.contains(failure.explanation) {
      explanations.append(failure.explanation)
    }
    let told = explanations.prefix(2).map { explanation -> Evidence in
      let same = failures.filter { $0.explanation == explanation }.map(\.failure.address.address)
      return "\(same[0])\(same.count > 1 ? " and \(same.count - 1) more" : ""): \(explanation)"
    }
    return [
      Finding(
        rule, "change_page_attr left \(failures.count) tested addresses as they were", in: table,
        runs: runs,
        evidence: told
          + (subject.isLogAlone
            ? [] : ["\(still.count) of them are still large pages in these tables"]),
        help: "look at __should_split_large_page, arch/x86/mm/pat/set_memory.c")
    ]
  }
}
