internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// An area of which a part is global and a part is not.
  static let globalMixed = Rule(
    id: "PT201", name: "global-mixed", severity: .error,
    summary: "part of an area lacks the global bit", serves: .x86, needs: [.ptiOff, .globalPages],
    documentation: """
      What: leaves without _PAGE_GLOBAL beside leaves that have it, in one area, PTI being off.
      Why: the part without the bit is flushed from the TLB at each context switch. And code that
      takes the bit for granted goes wrong. The CPA self-test of 2008 cleared it in pages that had
      never had it, because level2_ident_pgt had been made without the bit. It reported "bad pte"
      and "unexpected level 2" over and over.
      How Linux should look: without PTI each present kernel leaf of init_mm is global. 4K pages of
      the direct map that were taken out of it and put back are not, as those of freed modules and
      BPF programs. The kernel drops the bit with _PAGE_PRESENT and sets only the latter again. The
      next module that gets such a page makes it read-only, without the bit. The rule leaves such
      pages out where no larger page of the direct map lacks the bit.
      False alarm: with PTI on (the rule is skipped), EFI's own table, Xen PV. After a self-test
      that clears G and sets it again, pages with the bit lie scattered among those without. The
      test did that, and the evidence says so.
      Fix: give the bit to whoever made the table that the finding names.
      References:
      - arch/x86/mm/init.c, Linux 6.12: probe_page_size_mask
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: pgprot_clear_protnone_bits, __set_pages_p
      - mm/vmalloc.c, Linux 6.12: vm_reset_perms
      - arch/x86/kernel/head_64.S, Linux 2.6.26: level2_ident_pgt
      - cd5dce2fb023 (2.6.27): gives level2_ident_pgt the bit
      """, comparesParts: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      globalAreas.compactMap { kind -> Finding? in
        guard let area = table.layout.first(kind) else { return nil }
        let global = table.space.mode.global
        let runs = table.runs(area.kind)
        let lacking = runs.filter { $0.isLeaf && $0.flags & global == 0 }
        if kind == .directMap,
          lacking.allSatisfy({ wasPutBack($0, subject, mode: table.space.mode) })
        {
          return nil
        }
        guard let first = lacking.first, let last = lacking.last else { return nil }
        let having = runs.filter { $0.isLeaf && $0.flags & global != 0 }
        guard !having.isEmpty else { return nil }
        let within = having.filter { $0.start >= first.start && $0.last <= last.last }
        var evidence: [Evidence] = [
          .fact(
            "\(total(lacking)) without the bit, \(total(having)) with it; PTI is off",
            source: subject.facts.pti?.source ?? "")
        ]
        let gigabyte: UInt64 = 1 << 30
        let firstGiB =
          kind == .directMap && first.start - area.start < 2 << 20
          && last.last - area.start < gigabyte
        if let owner = subject.owner(of: first.start, level: 2) {
          evidence.append("the page table of \(first.start.address) is \(owner)")
        }
        if !within.isEmpty {
          let cause =
            subject.globalTestRan
            ? "what the self-test's revert left behind, no second defect"
            : "split and rewritten since"
          evidence.append("\(total(within)) between them are global: \(cause)")
        }
        let owner = subject.owner(of: first.start, level: 2)
        return Finding(
          rule,
          (firstGiB ? "the first GiB of the direct map" : "part of \(area.name)")
            + " lacks _PAGE_GLOBAL, the rest has it",
          in: table, runs: lacking, area: area, evidence: evidence,
          help: "set _PAGE_GLOBAL in \(owner ?? "the table that these leaves come from")")
      }
    }
  }

  /// Whether a leaf of the direct map looks as `set_direct_map_default_noflush` leaves it.
  ///
  /// Or as the next module makes it that gets the page: read-only. What the image still has is never
  /// put back.
  private static func wasPutBack(_ run: Run, _ subject: Subject, mode: TableFormat) -> Bool {
    guard run.level == 1, run.flags & mode.noExecute == mode.noExecute else { return false }
    if run.flags & mode.write != 0 { return true }
    return run.physical.flatMap { subject.image?.owner(ofTable: $0) } == nil
  }

  static let globalAreas: [Area.Kind] = [.directMap, .vmalloc, .vmemmap, .image, .modules]
}
