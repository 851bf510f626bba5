internal import PageTables

extension Rule {
  /// Entries that the processor refuses.
  static let reservedBits = Rule(
    id: "PT501", name: "reserved-bits", severity: .error,
    summary: "an entry has reserved bits set", needs: [.physicalAddresses],
    documentation: """
      What: a present entry with bits set that the processor reserves at that level.
      Why: touching the address faults with the reserved bit in the error code.
      How Linux should look: none. Most often memory corruption, or a wrong paging mode.
      Fix: see what else overwrote the table; the entry's value is a hint.
      """
  ) { rule, subject in
    anomalies(subject) { if case .reservedBits = $0 { true } else { false } }.map {
      table, anomaly in
      var bits: UInt64 = 0
      if case .reservedBits(let mask) = anomaly.kind { bits = mask }
      return Finding(
        rule, "reserved bits \(bits.entry) set", in: table,
        runs: [run(anomaly)], entry: anomaly.entry,
        evidence: ["entry \(anomaly.entry?.entry ?? "?")"],
        help: "the table is overwritten, or the mode is wrong (--mode)")
    }
  }
}
