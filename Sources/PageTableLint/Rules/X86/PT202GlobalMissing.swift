internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// No leaf of a whole area is global though the processor and the kernel use the bit.
  static let globalMissing = Rule(
    id: "PT202", name: "global-missing", severity: .warning,
    summary: "a whole area lacks the global bit", serves: .x86, needs: [.ptiOff, .globalPages],
    documentation: """
      What: an area without a single global leaf, while other areas have them and PTI is off.
      Why: each context switch flushes the whole area from the TLB.
      How Linux should look: without PTI each present kernel leaf of init_mm is global.
      False alarm: with PTI on (the rule is skipped), processors without PGE, Xen PV, whose
      hypervisor owns the bit. Where no area at all is global nothing is wrong with one of them, and
      the rule is silent.
      Fix: look for protections that were made without the masks of PAGE_KERNEL.
      References:
      - arch/x86/mm/init.c, Linux 6.12: probe_page_size_mask
      - arch/x86/xen/enlighten_pv.c, Linux 6.12: __supported_pte_mask without _PAGE_GLOBAL
      """, comparesParts: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let global = table.space.mode.global
      let areas = globalAreas.compactMap { table.layout.first($0) }.map { area in
        (area, table.runs(area.kind).lazy.filter(\.isLeaf))
      }
      guard areas.contains(where: { $0.1.contains { $0.flags & global != 0 } }) else { return [] }
      return areas.filter { !$0.1.isEmpty && $0.1.allSatisfy { $0.flags & global == 0 } }.map {
        area, runs in
        Finding(
          rule, "no leaf of \(area.name) is global", in: table, runs: Array(runs), area: area,
          evidence: [
            .fact(
              "other areas are global; PTI is off", source: subject.facts.pti?.source ?? "")
          ],
          help: "make these mappings with PAGE_KERNEL's global bit")
      }
    }
  }
}
