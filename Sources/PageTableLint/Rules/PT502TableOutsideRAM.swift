internal import MemoryImages
internal import PageTables

extension Rule {
  /// Table pointers to where no memory is.
  static let tableOutsideRAM = Rule(
    id: "PT502", name: "table-outside-ram", severity: .error,
    summary: "a table pointer leads outside memory", needs: [.physicalAddresses],
    documentation: """
      What: a present table pointer whose frame the machine's memory does not hold.
      Why: the processor takes whatever answers there for entries. Below it anything may be
      mapped.
      How Linux should look: none.
      False alarm: an image that leaves out whole ranges of memory without saying so.
      Fix: see what overwrote the entry, or who freed the table while an entry led to it.
      References:
      - arch/x86/mm/pgtable.c, Linux 6.12: pud_free_pmd_page, pmd_free_pte_page
      - 28ee90fe6048: frees the tables that a large mapping in vmalloc space replaces
      """
  ) { rule, subject in
    anomalies(subject) { $0 == .tableOutsideMemory }.map { table, anomaly in
      Finding(
        rule, "the table pointer \(anomaly.entry?.entry ?? "?") leads outside memory", in: table,
        runs: [run(anomaly)], entry: anomaly.entry,
        evidence: ["no memory of the image lies there"], help: "see what overwrote the entry")
    }
  }
}
