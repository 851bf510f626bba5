internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A leaf outside the direct map, and the direct map's of the same frame, where memory types differ.
  struct AliasConflict {
    let alias: Run
    let direct: Run
  }

  static func conflictingAliases(_ subject: Subject) -> [(Table, [AliasConflict])] {
    guard let base = subject.facts.directMap?.value else { return [] }
    let ram = subject.ram
    let lowest: UInt64 = 1 << 20
    return subject.tables.map { table in
      let mode = table.space.mode
      var found: [AliasConflict] = []
      for run in table.runs
      where run.isLeaf && run.start >= table.space.mode.upperHalf {
        let kind = table.layout.area(of: run.start).kind
        guard kind != .directMap, kind != .espfix, let physical = run.physical,
          physical >= lowest, ram.contains(where: { $0.contains(physical) })
        else { continue }
        let type = mode.memoryType(of: run)
        for direct in subject.kernel.directMapAliases(of: run, base: base)
        where mode.memoryType(of: direct) != type {
          found.append(AliasConflict(alias: run, direct: direct))
        }
      }
      return (table, found)
    }
  }

  static func findAliases(
    _ rule: Rule, _ subject: Subject, _ table: Table, _ aliases: [Run], _ what: String,
    help: String
  ) -> [Finding] {
    var runs: [Run] = []
    for alias in aliases where runs.last?.start != alias.start { runs.append(alias) }
    let mode = table.space.mode
    func type(_ run: Run) -> String { mode.memoryType(of: run)?.rawValue ?? "of unknown type" }
    return grouped(runs, table).map { area, runs in
      var lines = evidence(runs, subject, table)
      if let first = runs.first, let physical = first.physical,
        let base = subject.facts.directMap?.value,
        let direct = subject.kernel.run(at: base &+ physical)
      {
        lines.insert(
          .words(
            "\(mode.text(first.start)) is \(type(first)), "
              + "\(mode.text(base &+ physical)) \(type(direct)), both of \(physical.entry)"),
          at: 0)
      }
      // Write-combining beside write-back: a driver's doing, and known to work.
      let isCombining = runs.allSatisfy { mode.memoryType(of: $0) == .writeCombining }
      return Finding(
        rule, severity: isCombining ? .note : nil, "\(total(runs)) \(what)", in: table, runs: runs,
        area: area, evidence: lines,
        help: help)
    }
  }
}
