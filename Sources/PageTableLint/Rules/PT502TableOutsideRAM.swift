internal import MemoryImages
internal import PageTables

extension Rule {
  /// Table pointers to where no memory is.
  static let tableOutsideRAM = Rule(
    id: "PT502", name: "table-outside-ram", severity: .error,
    summary: "a table pointer leads outside memory", needs: [.physicalAddresses],
    documentation: """
      What: a present table pointer whose frame the machine's memory does not hold.
      Why: the processor reads whatever answers there as entries.
      How Linux should look: none. Memory corruption, or a table freed while still in use.
      False alarm: an image that leaves out whole ranges of memory without saying so.
      Fix: see what overwrote the entry above.
      """
  ) { rule, subject in
    // An extract holds no more than the tables: it cannot tell outside from left out.
    guard subject.image?.isExtract != true else { return [] }
    return anomalies(subject) { $0 == .tableOutsideMemory }.map { table, anomaly in
      Finding(
        rule, "the table pointer \(anomaly.entry?.entry ?? "?") leads outside memory", in: table,
        runs: [run(anomaly)], entry: anomaly.entry,
        evidence: ["no memory of the image lies there"], help: "see what overwrote the entry")
    }
  }
}
