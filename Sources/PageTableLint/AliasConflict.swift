internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A leaf outside the direct map whose memory type is not that of the direct map's leaves of the
  /// same frames.
  struct AliasConflict {
    let alias: Run
    /// Whether one of those is a page of the lowest level, and whether one is a larger one.
    let withPage: Bool
    let withLargePage: Bool
  }

  static func conflictingAliases(_ subject: Subject) -> [(Table, [AliasConflict])] {
    guard let base = subject.facts.directMap?.value else { return [] }
    let ram = subject.ram
    let lowest: UInt64 = 1 << 20
    let types = MemoryType.allCases
    func number(_ run: Run, _ mode: TableFormat) -> Int {
      mode.memoryType(of: run).flatMap { types.firstIndex(of: $0) } ?? types.count
    }
    // A class is a type and whether the leaf is a page of the lowest level.
    let leaves = DirectMapLeaves(of: subject.kernel, base: base) {
      2 * number($0, subject.mode) + ($0.level == 1 ? 1 : 0)
    }
    return subject.tables.map { table in
      let mode = table.space.mode
      var found: [AliasConflict] = []
      for run in table.runsOutsideDirectMap where run.isLeaf {
        guard table.layout.area(of: run.start).kind != .espfix, let physical = run.physical,
          physical >= lowest, ram.contains(physical)
        else { continue }
        let type = number(run, mode)
        let others = (leaves?.classes(under: run) ?? []).filter { $0 / 2 != type }
        if !others.isEmpty {
          found.append(
            AliasConflict(
              alias: run, withPage: others.contains { $0 % 2 == 1 },
              withLargePage: others.contains { $0 % 2 == 0 }))
        }
      }
      return (table, found)
    }
  }

  static func findAliases(
    _ rule: Rule, _ subject: Subject, _ table: Table, _ aliases: [Run], _ what: String,
    help: String
  ) -> [Finding] {
    let mode = table.space.mode
    func type(_ run: Run) -> String { mode.memoryType(of: run)?.rawValue ?? "of unknown type" }
    return grouped(aliases, table).map { area, runs in
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
        help: help, premises: directMapPlaces(of: runs, subject, mode))
    }
  }

  /// The addresses that leaves' frames have in the direct map.
  private static func directMapPlaces(
    of runs: [Run], _ subject: Subject, _ mode: TableFormat
  ) -> [ClosedRange<UInt64>] {
    guard let base = subject.facts.directMap?.value else { return [] }
    return runs.compactMap { run in
      guard let physical = run.physical else { return nil }
      let first = base &+ physical
      let size = run.repeats ? min(run.size, mode.span(of: run)) : run.size
      return size > 0 && first <= ~0 - (size - 1) ? first...(first + (size - 1)) : nil
    }
  }
}
