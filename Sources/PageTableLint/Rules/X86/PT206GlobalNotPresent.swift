internal import PageTables

extension Rule {
  /// Entries that are not present and have the bit that means PROT_NONE then.
  static let globalNotPresent = Rule(
    id: "PT206", name: "global-not-present", severity: .warning,
    summary: "an entry that is not present has the global bit", serves: .x86,
    needs: [.physicalAddresses, .release(3, 9)],
    documentation: """
      What: an entry of the kernel's half whose present bit is clear and whose bit 8 is set.
      Why: with the present bit clear Linux reads bit 8 as PROT_NONE (since 2.6.29), so that
      pte_present() says yes to what the processor faults on.
      How Linux should look: only placeholders of the cpu entry area (PAGE_NONE, 0x…120).
      False alarm: KFENCE's guard pages keep the bit (left out where the image's symbols tell where
      they are). Before 3.9 set_memory_np() and debug_pagealloc left the bit when they took a page
      away. Before 2.6.29 bit 7 meant PROT_NONE. The rule is skipped there, and where no release is
      known.
      Fix: clear G with P: pgprot_clear_protnone_bits() does it.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: pgprot_clear_protnone_bits
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12: _PAGE_BIT_PROTNONE
      - a8aed3e0752b (3.9): clears _PAGE_GLOBAL with _PAGE_PRESENT
      """
  ) { rule, subject in
    subject.tables.flatMap { table in
      let mode = table.space.mode
      let bad = table.notPresent.filter {
        $0.level == 1 && $0.flags & mode.global != 0
          && !table.layout.mayBe(.cpuEntryArea, at: $0.start) && !subject.isKFENCE($0)
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) not present and marked PROT_NONE", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "clear _PAGE_GLOBAL where _PAGE_PRESENT is cleared")
      }
    }
  }
}
