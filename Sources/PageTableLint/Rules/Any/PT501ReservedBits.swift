internal import PageTables

extension Rule {
  /// Entries that the processor refuses.
  static let reservedBits = Rule(
    id: "PT501", name: "reserved-bits", severity: .error,
    summary: "an entry has reserved bits set", needs: [.physicalAddresses],
    documentation: """
      What: a present entry with bits set that are reserved at its level. These are bits 13 to 20 of
      a 2M leaf, and 13 to 29 of a 1G leaf. Or with address bits that the processor does not have
      (MAXPHYADDR), where the end of iomem_resource shows it. Bit 7 alone in the topmost levels is
      PT508's.
      Why: the processor faults at the first touch, with the reserved bit in the error code. Until
      then the defect does not show.
      How Linux should look: none. Bit 12 of a large leaf is PAT and allowed; entries that are not
      present may hold anything.
      False alarm: a wrong paging mode (--mode) or a root that is none; then most other findings are
      wrong too. Guests that share memory with their host by an address bit (TDX, Hyper-V) are not
      held to MAXPHYADDR. Nor are images without a log, which would show that.
      Fix: see what overwrote the table. The entry's value is a hint: text, a pointer, a neighbour's
      data.
      References:
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12
      """, judgesTables: true
  ) { rule, subject in
    anomaliesByTable(subject) { kind in
      if case .reservedBits = kind { !isLeafAtWrongLevel(kind) } else { false }
    }.map { table, found in
      let mode = table.space.mode
      let evidence = found.prefix(3).map { anomaly -> Evidence in
        var bits: UInt64 = 0
        if case .reservedBits(let mask) = anomaly.kind { bits = mask }
        let entry = anomaly.entry?.entry ?? "?"
        return "\(mode.text(anomaly.address)): entry \(entry), reserved bits \(bits.entry)"
      }
      return Finding(
        rule,
        found.count == 1
          ? "an entry has reserved bits set" : "\(found.count) entries have reserved bits set",
        in: table, runs: found.map(run), entry: found.first?.entry, evidence: evidence,
        help: "the table is overwritten, or the mode is wrong (--mode)")
    }
  }
}
