internal import MemoryImages
internal import PageTables

extension Rule {
  /// Tables that the image does not hold.
  static let unreadableTable = Rule(
    id: "PT904", name: "unreadable-table", severity: .note,
    summary: "a page table is not in the image", needs: [.memoryImage],
    documentation: """
      What: a table that a pointer leads to and the image does not hold. Or a walk that was stopped
      because the tables claim more than the image can warrant, or make more runs than --max-memory
      has room for.
      Why: nothing is known of the addresses below it.
      How Linux should look: an image with kernel pages holds all of init_mm's tables.
      False alarm: a table that is all zero, which makedumpfile may leave out (dump level 1 and its
      sums): nothing is missed.
      Fix: take the dump with the page tables in it; with makedumpfile, without excluding zero
      pages.
      """
  ) { rule, subject in
    anomaliesByTable(subject) {
      $0 == .tableNotInImage || $0 == .walkLimit || $0 == .memoryLimit
    }.flatMap { table, found in
      let full = found.filter { $0.kind == .memoryLimit }
      let stopped = found.filter { $0.kind == .walkLimit }
      let missing = found.filter { $0.kind == .tableNotInImage }
      let mode = table.space.mode
      var findings: [Finding] = []
      if let first = stopped.first {
        findings.append(
          Finding(
            rule, "the walk was stopped: these tables claim more than the image can warrant",
            in: table, runs: [run(first)], entry: first.entry,
            help: "take the dump again with the page tables in it"))
      }
      if !full.isEmpty {
        findings.append(
          Finding(
            rule, "the walk was stopped: what it found fills the memory that it may take",
            in: table, runs: full.map(run), help: "give a greater --max-memory"))
      }
      if let first = missing.first {
        let more = missing.count + table.space.anomaliesLeftOut
        findings.append(
          Finding(
            rule,
            more == 1
              ? "the table of \(first.size.readableSize) from \(mode.text(first.address)) is not in the image"
              : "\(more) tables are not in the image", in: table, runs: missing.map(run),
            entry: first.entry,
            evidence: more == 1
              ? []
              : missing.prefix(3).map {
                "the table of \($0.size.readableSize) from \(mode.text($0.address))"
              },
            help: "take the dump again with the page tables in it"))
      }
      return findings
    }
  }
}
