internal import MemoryImages
internal import PageTables

extension Rule {
  /// Global leaves of secrets under page-table isolation.
  static let globalUnderPTI = Rule(
    id: "PT203", name: "global-under-pti", severity: .error,
    summary: "kernel data stays in the TLB across PTI's switch", needs: [.ptiOn, .globalPages],
    documentation: """
      What: global leaves in the direct map, vmalloc, vmemmap or modules while PTI is on.
      Why: they survive the switch of CR3, so that user mode finds them in the TLB (Meltdown); in
      2022 1G pages of the direct map were made so (__PAGE_KERNEL_LARGE, unmasked).
      How Linux should look: G only in the cpu entry area, ESPfix and parts of the kernel image.
      False alarm: after a CPA self-test that clears and sets G, the revert leaves it on the 4K
      pages it tested: reported as a note.
      Fix: mask protections with __default_kernel_pte_mask.
      """
  ) { rule, subject in
    let kinds: [Area.Kind] = [.directMap, .vmalloc, .vmemmap, .modules]
    return kinds.compactMap { kind -> Finding? in
      let table = subject.kernel
      guard let area = table.layout.first(kind) else { return nil }
      let bad = table.space.runs(from: area.start, through: area.last).filter {
        $0.isLeaf && $0.flags & table.space.mode.global != 0
      }
      guard !bad.isEmpty else { return nil }
      let residue = kind == .directMap && subject.globalTestRan && bad.allSatisfy { $0.level == 1 }
      return Finding(
        rule, severity: residue ? .note : nil,
        residue
          ? "\(total(bad)) global in the direct map: what the self-test's revert left behind"
          : "\(total(bad)) of \(area.name) global under PTI",
        in: table, runs: bad, area: area,
        evidence: ["PTI is on (\(subject.facts.pti?.source ?? ""))"]
          + evidence(bad, subject, table),
        help: residue
          ? "nothing: the test set the bit, not the kernel"
          : "mask the protection with __default_kernel_pte_mask")
    }
  }
}
