internal import MemoryImages
internal import PageTables

extension Rule {
  /// Tables that the image does not hold.
  static let unreadableTable = Rule(
    id: "PT904", name: "unreadable-table", severity: .note,
    summary: "a page table is not in the image", needs: [],
    documentation: """
      What: a table that a pointer leads to and the image does not hold, or a walk that was
      stopped because the tables claim more than the image can warrant.
      Why: nothing is known of the addresses below it.
      How Linux should look: an image with kernel pages holds all of init_mm's tables.
      False alarm: a table that is all zero, which makedumpfile may leave out (dump level 1 and
      its sums): nothing is missed.
      Fix: take the dump with the page tables in it; with makedumpfile, without excluding zero
      pages.
      """
  ) { rule, subject in
    anomalies(subject) { $0 == .tableNotInImage || $0 == .walkLimit }.map { table, anomaly in
      Finding(
        rule,
        anomaly.kind == .walkLimit
          ? "the walk was stopped: these tables claim more than the image can warrant"
          : "the table of \(anomaly.size.readableSize) from \(anomaly.address.address) is not in the image",
        in: table, runs: [run(anomaly)], entry: anomaly.entry,
        help: "take the dump again with the page tables in it")
    }
  }
}
