internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Runs by area, neighbours and one cause together.
  static func grouped(_ runs: [Run], _ table: Table) -> [(Area, [Run])] {
    var groups: [(Area, [Run])] = []
    for run in runs {
      let area = table.layout.area(of: run.start)
      if let last = groups.last, last.0.kind == area.kind {
        groups[groups.count - 1].1.append(run)
      } else {
        groups.append((area, [run]))
      }
    }
    return groups
  }

  /// `12 KiB`, or `524288 pages (2 GiB)`.
  static func total(_ runs: [Run]) -> String {
    runs.reduce(UInt64(0)) { $0 &+ $1.size }.readableSize
  }

  /// The first run, how many more, and who owns its table.
  static func evidence(_ runs: [Run], _ subject: Subject, _ table: Table) -> [Evidence] {
    guard let first = runs.first else { return [] }
    let mode = table.space.mode
    // Those of the first leaf may not be the others'.
    let flags = first.isLeaf ? first.flags & ~mode.incidental : first.flags
    let owner = subject.owner(of: first.start, in: table)
    return [
      .mapping(
        Evidence.Mapping(
          start: first.start, end: first.end, size: first.size,
          flags: mode.names(flags, level: Int(first.level)),
          level: mode.level(Int(max(1, first.level))).name, more: runs.count - 1))
    ] + (owner.map { [.owner($0, tableOf: first.start)] } ?? [])
  }

  /// Each table's anomalies of some kinds; tables without any are left out.
  static func anomaliesByTable(
    _ subject: Subject, where matches: (Anomaly.Kind) -> Bool
  ) -> [(Table, [Anomaly])] {
    subject.tables.compactMap { table in
      let found = table.anomalies.filter { matches($0.kind) }
      return found.isEmpty ? nil : (table, found)
    }
  }

  /// `line 12`, or `lines 12, 13, 14 and 5 more`.
  static func lines(_ anomalies: [Anomaly]) -> String {
    let numbers = anomalies.compactMap(\.line)
    let shown = numbers.prefix(3).map(String.init).joined(separator: ", ")
    return "line\(numbers.count == 1 ? "" : "s") \(shown)"
      + (numbers.count > 3 ? " and \(numbers.count - 3) more" : "")
  }

  static func run(_ anomaly: Anomaly) -> Run {
    Run(
      start: anomaly.address, last: anomaly.address &+ max(1, anomaly.size) &- 1,
      kind: .unreadable, level: anomaly.level ?? 0)
  }

  /// One finding an area of the table pointers of the kernel's half that have wrong attributes.
  ///
  /// - Parameters:
  ///   - isWrong: asked of the level and of the entry's bits beside its frame.
  ///   - isBad: asked of the place of those.
  static func pointers(
    _ rule: Rule, _ subject: Subject, _ what: String, help: String,
    having isWrong: (TablePointer, TableFormat) -> Bool,
    where isBad: (TablePointer, Table) -> Bool = { _, _ in true }
  ) -> [Finding] {
    subject.tables.flatMap { table in
      let mode = table.space.mode
      let bad = table.pointers.stretches.flatMap { stretch -> [TablePointer] in
        guard isWrong(stretch.first, mode) else { return [] }
        return (0..<stretch.count).map { stretch[$0] }.filter {
          $0.address >= mode.upperHalf && isBad($0, table)
        }
      }
      return grouped(bad.map { run($0, mode) }, table).map { area, runs in
        let first = bad.first { $0.address == runs[0].start && $0.level == Int(runs[0].level) }
        let entry = first.map { pointer in
          Evidence.Entry(
            address: pointer.address, level: mode.level(pointer.level).name,
            value: pointer.entry, owner: subject.image?.owner(ofTable: pointer.parent),
            more: runs.count - 1)
        }
        return Finding(
          rule,
          runs.count == 1
            ? "a table pointer \(what)" : "\(runs.count) table pointers \(what)", in: table,
          runs: runs, area: area, entry: first?.entry, evidence: entry.map { [.entry($0)] } ?? [],
          help: help)
      }
    }
  }

  /// The range below a table pointer.
  static func run(_ pointer: TablePointer, _ mode: TableFormat) -> Run {
    Run(
      start: pointer.address, last: pointer.address &+ (mode.level(pointer.level).span &- 1),
      kind: .unreadable, level: pointer.level)
  }
}
