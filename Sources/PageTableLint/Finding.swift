package import PageTables

/// How bad a finding is.
package enum Severity: String, Sendable, Comparable, CaseIterable, Codable {
  case note, warning, error

  private var rank: Int { Severity.allCases.firstIndex(of: self) ?? 0 }
  package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
}

/// One defect, with its evidence, as a rule found it.
///
/// What configuration, exceptions, the baseline and further looks say of it is `Judged`. A class, since
/// it has much to copy and there may be thousands.
package final class Finding: Sendable, Codable {
  package let rule: Rule
  package let severity: Severity
  package let message: String
  package let table: TableID
  package let area: String
  package let start: UInt64
  /// Exclusive; zero at the top of the address space.
  package let end: UInt64
  /// 4 KiB pages that have the defect; the range may hold more.
  package let pages: UInt64
  /// The ranges that have it, in address order.
  package let extents: [ClosedRange<UInt64>]
  /// From the lowest to the highest address of those; nil where there are none.
  let hull: ClosedRange<UInt64>?
  /// Where else its rule looked: what is wrong there may be why, if the rule gives way to that.
  let premises: [ClosedRange<UInt64>]
  /// From the lowest to the highest address of all of them.
  let reach: ClosedRange<UInt64>?
  package let level: String?
  package let entry: UInt64?
  package let physical: UInt64?
  /// The flags that all its leaves have, in the kernel's spelling: those that dumps print, but PSE.
  package let attributes: [String]
  package let evidence: [Evidence]
  package let help: String
  /// The configuration's exception that it is about, by its index.
  let exception: Int?
  /// The report of the log that it is; nil for what tables show.
  package let report: FaultJudgement?
  /// The format in which the report's own kernel writes addresses; nil for that of the tables.
  let mode: TableFormat?

  /// The line of the log that begins the report; 0 for what tables show.
  var line: Int { report?.fault.line ?? 0 }

  /// The table that shows it; nil for a report of the log that may be of any process' own.
  package var namedTable: TableID? {
    guard let report else { return table }
    guard let address = report.address, let mode else { return nil }
    return report.process != nil || address >= mode.upperHalf ? table : nil
  }

  /// Whether it is of addresses, not of the input as such.
  var hasRange: Bool { start != end || start != 0 }

  private static func hull(of extents: [ClosedRange<UInt64>]) -> ClosedRange<UInt64>? {
    guard var hull = extents.first else { return nil }
    for part in extents {
      hull = min(hull.lowerBound, part.lowerBound)...max(hull.upperBound, part.upperBound)
    }
    return hull
  }

  /// Whether each range that has it lies wholly in one of some ranges; false where it has none.
  func lies(within ranges: [ClosedRange<UInt64>]) -> Bool {
    !extents.isEmpty
      && extents.allSatisfy { part in
        ranges.contains {
          $0.lowerBound <= part.lowerBound && part.upperBound <= $0.upperBound
        }
      }
  }

  /// What tells it from others when the same tables are looked at again.
  struct Place: Hashable {
    let rule: String
    let table: TableID
    let area: String
    let start, end: UInt64
  }
  var place: Place {
    Place(rule: rule.id, table: table, area: area, start: start, end: end)
  }

  package init(
    _ rule: Rule, severity: Severity? = nil, _ message: String, in table: Table, runs: [Run],
    area: Area? = nil, entry: UInt64? = nil, evidence: [Evidence] = [], help: String,
    about exception: Int? = nil, premises: [ClosedRange<UInt64>] = []
  ) {
    self.rule = rule
    self.severity = severity ?? rule.severity
    self.message = message
    self.table = table.id
    let first = runs.first
    self.area = (area ?? first.map { table.layout.area(of: $0.start) })?.name ?? "input"
    start = first?.start ?? 0
    end = runs.last?.end ?? 0
    extents = runs.map { $0.start...max($0.start, $0.last) }
    hull = Self.hull(of: extents)
    self.premises = premises
    reach = Self.hull(of: extents + premises)
    pages = runs.reduce(0) { $0 &+ $1.pages }
    let levels = Set(runs.map(\.level))
    level =
      levels.count == 1 && first.map { $0.level > 0 } == true
      ? first.map { table.space.mode.level(Int($0.level)).name } : nil
    physical = first?.physical
    let leaves = runs.filter(\.isLeaf)
    let common = leaves.reduce(leaves.isEmpty ? 0 : ~0) { $0 & $1.flags }
    attributes = table.space.mode.attributes.filter { flag in
      flag.printed && flag.set != "PSE" && common & flag.mask != 0
        && leaves.allSatisfy { flag.levels.contains(Int($0.level)) }
    }.map(\.set)
    self.entry =
      entry
      ?? first.flatMap { run in
        run.isLeaf && run.physical != nil ? run.physical.map { $0 | run.flags } : nil
      }
    self.evidence = evidence
    self.help = help
    self.exception = exception
    report = nil
    mode = nil
  }

  /// A report of the log, at the page that it names.
  init(_ rule: Rule, report judged: FaultJudgement, of subject: Subject, help: String) {
    let fault = judged.fault
    let mode = judged.mode(of: subject)
    self.rule = rule
    severity = judged.severity ?? rule.severity
    message = judged.message
    table = judged.process.map(TableID.process) ?? .kernel
    area = judged.area ?? ""
    let page = mode.granule - 1
    let first = judged.address.map { $0 & ~page }
    let last = judged.address.map { max($0, fault.last ?? $0) | page }
    start = first ?? 0
    end = last.map { $0 &+ 1 } ?? 0
    extents = first.flatMap { first in last.map { [first...$0] } } ?? []
    hull = Self.hull(of: extents)
    premises = []
    reach = hull
    pages = extents.first.map { ($0.upperBound - $0.lowerBound) / mode.granule + 1 } ?? 0
    level = judged.level
    entry = fault.entries.first { $0.name == judged.level }?.value
    physical = nil
    attributes = []
    evidence = TextReport.evidence(judged, mode: mode).map { Evidence.words($0) }
    self.help = help
    exception = nil
    report = judged
    self.mode = mode
  }
}
