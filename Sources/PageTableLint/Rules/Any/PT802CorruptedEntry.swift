extension Rule {
  /// An entry that no sound kernel writes, as the kernel found it.
  static let corruptedEntry = Rule(
    id: "PT802", name: "corrupted-entry", severity: .error,
    summary: "the log reports an entry with reserved bits, or one that leads to no table",
    needs: [.reports],
    documentation: """
      What: "Corrupted page table at address": the processor met reserved bits. Or "bad pmd" and its
      kin: the kernel found an entry where it expects a table or nothing.
      Why: something else wrote over a page table, or a table was used after it was freed; more may
      be damaged than was met.
      How Linux should look: the kernel writes whole entries, and prints neither line.
      False alarm: code that meets a valid huge page where it expects a table; the finding says so.
      On memory that SEV-SNP, TDX or Xen marks by a bit of its own, a kernel that does not mask the
      bit.
      Fix: see what the entry holds: text, poison, a pointer and a frame beyond memory name the
      writer. Look for devices' DMA and for pages that were freed too early; test the memory.
      References:
      - arch/x86/mm/fault.c, Linux 6.12: pgtable_bad
      - mm/pgtable-generic.c, Linux 6.12: pmd_clear_bad
      """
  ) { rule, subject in
    reports(rule, subject, of: [.corruptedTable, .badEntry]) { judged in
      judged.cause == .allowed
        ? "look for the code that expects no huge page there"
        : "look for what wrote over the table: DMA, or a page that was freed too early; test the memory"
    }
  }
}
