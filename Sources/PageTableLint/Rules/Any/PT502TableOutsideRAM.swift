internal import MemoryImages
internal import PageTables

extension Rule {
  /// Table pointers to where no memory is.
  static let tableOutsideRAM = Rule(
    id: "PT502", name: "table-outside-ram", severity: .error,
    summary: "a table pointer leads outside memory", needs: [.physicalAddresses],
    documentation: """
      What: a present table pointer whose frame the machine's memory does not hold.
      Why: the processor takes whatever answers there for entries. Below it anything may be mapped.
      How Linux should look: none.
      False alarm: an image that leaves out whole ranges of memory without saying so.
      Fix: see what overwrote the entry, or who freed the table while an entry led to it.
      References:
      - arch/x86/mm/pgtable.c, Linux 6.12: pud_free_pmd_page, pmd_free_pte_page
      - 28ee90fe6048: frees the tables that a large mapping in vmalloc space replaces
      """, judgesTables: true
  ) { rule, subject in
    anomaliesByTable(subject) { $0 == .tableOutsideMemory }.map { table, found in
      let evidence = found.prefix(3).map { Evidence.pointer($0.entry, address: $0.address) }
      return Finding(
        rule,
        found.count == 1
          ? "a table pointer leads outside memory"
          : "\(found.count) table pointers lead outside memory", in: table, runs: found.map(run),
        entry: found.first?.entry, evidence: evidence + ["no memory of the image lies there"],
        help: "see what overwrote the entry")
    }
  }
}
