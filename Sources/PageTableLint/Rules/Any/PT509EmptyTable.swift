internal import PageTables

extension Rule {
  /// Tables that hold nothing.
  static let emptyTable = Rule(
    id: "PT509", name: "empty-table", severity: .note,
    summary: "much memory goes into tables that hold nothing", needs: [.physicalAddresses],
    documentation: """
      What: more than 1 MiB of table pages of the kernel's half without any entry.
      Why: the kernel frees few of its own table pages; what vmalloc or modules used once stays.
      How Linux should look: some are normal. Since 5.8 (64 bits) the tables below the top level of
      vmalloc are made ahead. The fixmap and the persistent kmap have theirs, and vfree() leaves
      those it emptied. Tables that are made ahead are not counted.
      False alarm: a machine that mapped much at once, once.
      Fix: none is needed; see what mapped so much if the figure grows.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: preallocate_vmalloc_pages
      """, judgesTables: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let empty = emptyTables(table, mode)
      guard empty.count > 256 else { return [] }
      return [
        Finding(
          rule, "\((UInt64(empty.count) * mode.granule).readableSize) of tables hold nothing",
          in: table,
          runs: empty.map { run($0, mode) },
          evidence: ["\(empty.count) of \(table.space.tablesRead) tables"],
          help: "nothing is needed; see what mapped so much once if it grows")
      ]
    }
  }

  /// The pointers of the kernel's half below which one hole is all.
  private static func emptyTables(_ table: Table, _ mode: TableFormat) -> [TablePointer] {
    let runs = table.runs
    var index = 0
    var empty: [TablePointer] = []
    for stretch in table.pointers.stretches where stretch.first.level < mode.levels.count {
      var place = 0
      while place < stretch.count {
        let pointer = stretch[place]
        // Both come in the order of addresses.
        while index < runs.count, runs[index].last < pointer.address { index += 1 }
        guard index < runs.count else { return empty }
        let run = runs[index]
        if run.kind == .hole, Int(run.level) < pointer.level, run.contains(pointer.address),
          run.last >= pointer.last
        {
          if pointer.address >= mode.upperHalf { empty.append(pointer) }
          place += 1
        } else {
          // On to the first that starts behind the run.
          place += run.contains(pointer.address) ? pointer.steps(past: run.last) : 1
        }
      }
    }
    return empty
  }
}
