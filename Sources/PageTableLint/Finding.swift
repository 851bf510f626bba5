internal import MemoryImages
package import PageTables

/// How bad a finding is.
package enum Severity: String, Sendable, Comparable, CaseIterable {
  case note, warning, error

  private var rank: Int { Severity.allCases.firstIndex(of: self) ?? 0 }
  package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
}

/// One defect, with its evidence.
package struct Finding: Sendable {
  package let rule: Rule
  package var severity: Severity
  package let message: String
  /// `kernel` or `user`.
  package let table: String
  package let area: String
  package let start: UInt64
  /// Exclusive; zero at the top of the address space.
  package let end: UInt64
  /// 4 KiB pages that have the defect; the range may hold more.
  package let pages: UInt64
  /// The ranges that have it, in address order.
  package let extents: [ClosedRange<UInt64>]
  package let level: String?
  package let entry: UInt64?
  package let physical: UInt64?
  package var evidence: [String]
  package let help: String
  /// Whether one look at tables that move saw it, and the next did not.
  package internal(set) var isPassing = false

  /// What tells it from others when the same tables are looked at again.
  struct Place: Hashable {
    let rule, table, area: String
    let start, end: UInt64
  }
  var place: Place {
    Place(rule: rule.id, table: table, area: area, start: start, end: end)
  }

  package init(
    _ rule: Rule, severity: Severity? = nil, _ message: String, in table: Table, runs: [Run],
    area: Area? = nil, entry: UInt64? = nil, evidence: [String] = [], help: String
  ) {
    self.rule = rule
    self.severity = severity ?? rule.severity
    self.message = message
    self.table = table.name
    let first = runs.first
    self.area = (area ?? first.map { table.layout.area(of: $0.start) })?.name ?? "input"
    start = first?.start ?? 0
    end = runs.last?.end ?? 0
    extents = runs.map { $0.start...max($0.start, $0.last) }
    pages = runs.reduce(0) { $0 &+ $1.pages }
    let levels = Set(runs.map(\.level))
    level =
      levels.count == 1 && first.map { $0.level > 0 } == true
      ? first.map { table.space.mode.level(Int($0.level)).name } : nil
    physical = first?.physical
    self.entry =
      entry
      ?? first.flatMap { run in
        run.isLeaf && run.physical != nil ? run.physical.map { $0 | run.flags } : nil
      }
    self.evidence = evidence
    self.help = help
  }

  /// A hash that holds across KASLR: rule, area, offset in the area, level and pages.
  package func fingerprint(in layout: Layout) -> String {
    let base = layout.area(of: start).start
    var sum = Checksum()
    sum.add(
      "\(rule.id)|\(table)|\(area)|\((start &- base).hex())|\((end &- start).hex())|\(level ?? "")"
        .utf8)
    return sum.value.hex(digits: 16)
  }
}
