internal import PageTables

extension Rule {
  /// Leaves where the processor has none.
  static let leafAtWrongLevel = Rule(
    id: "PT508", name: "leaf-at-wrong-level", severity: .error,
    summary: "a large page in a level that has none", serves: .x86, needs: [.physicalAddresses],
    documentation: """
      What: an entry of the pgd or p4d level with bit 7, which makes a large page in the levels
      below and is reserved in these.
      Why: the processor faults at the first touch, with the reserved bit in the error code.
      How Linux should look: none.
      False alarm: tables with five levels read as four, or the other way: then the root's entries
      look so all together (--mode).
      Fix: see what overwrote the entry, or which code takes one level for another.
      References:
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12: _PAGE_PSE
      """
  ) { rule, subject in
    anomaliesByTable(subject, where: isLeafAtWrongLevel).map { table, found in
      let mode = table.space.mode
      return Finding(
        rule,
        found.count == 1
          ? "an entry says that it is a large page, in a level that has none"
          : "\(found.count) entries say that they are large pages, in a level that has none",
        in: table, runs: found.map(run), entry: found.first?.entry,
        evidence: found.prefix(3).map {
          .entry(
            Evidence.Entry(
              address: $0.address, level: $0.level.map { mode.level($0).name } ?? "",
              value: $0.entry))
        }, help: "see what overwrote the entry, or whether the mode is wrong (--mode)")
    }
  }

  /// Bit 7 and no other reserved bit, which is all that the topmost levels reserve.
  static func isLeafAtWrongLevel(_ kind: Anomaly.Kind) -> Bool {
    kind == .reservedBits(1 << 7)
  }
}
