internal import PageTables

extension [Finding] {
  /// One finding a cause: what lies wholly inside a place where a table or a pointer is wrong, and
  /// what another rule's finding explains in its area or where it looked, goes into that finding's
  /// evidence.
  package var withoutConsequences: [Judged] {
    var causes = Causes(self)
    var isConsequence = [Bool](repeating: false, count: count)
    var consequences: [Int: [Evidence]] = [:]
    for (index, finding) in enumerated() {
      guard let cause = causes.cause(of: finding) else { continue }
      isConsequence[index] = true
      consequences[cause, default: []].append(
        .consequence(rule: finding.rule.id, message: finding.message))
    }
    return indices.filter { !isConsequence[$0] }.map {
      Judged(self[$0], evidence: consequences[$0] ?? [])
    }
  }
}

/// The findings that may explain others: those of few rules.
private struct Causes {
  /// In the order of their lowest addresses, with the highest address of those up to each.
  private var causes: [Cause] = []
  private var ends: [UInt64] = []
  /// The comparisons that are left; without any, findings stand for themselves.
  private var effort = 1 << 24

  init(_ findings: [Finding]) {
    let yielded = Set(findings.flatMap(\.rule.givesWayTo))
    for (index, finding) in findings.enumerated() where finding.report == nil {
      guard finding.rule.explainsWhatLiesBelow || yielded.contains(finding.rule.id),
        let hull = finding.hull
      else { continue }
      causes.append(Cause(index: index, finding: finding, hull: hull))
    }
    causes.sort { $0.hull.lowerBound < $1.hull.lowerBound }
    for cause in causes { ends.append(max(cause.hull.upperBound, ends.last ?? 0)) }
  }

  /// The first finding of which another is only a consequence, by its index; nil where there is none.
  mutating func cause(of finding: Finding) -> Int? {
    // `takingReports` decides of reports.
    guard !finding.rule.explainsWhatLiesBelow, finding.report == nil, let reach = finding.reach
    else {
      return nil
    }
    var found: Int?
    var place = causes.partitioningIndex { $0.hull.lowerBound > reach.upperBound }
    while place > 0, ends[place - 1] >= reach.lowerBound, effort > 0 {
      place -= 1
      effort -= 1
      let cause = causes[place]
      guard found.map({ cause.index < $0 }) ?? true, cause.hull.overlaps(reach) else { continue }
      effort -= finding.extents.count + finding.premises.count
      if cause.explains(finding) { found = cause.index }
    }
    return found
  }
}

/// A finding that may explain others.
private struct Cause {
  let index: Int
  let hull: ClosedRange<UInt64>
  private let rule: Rule
  /// The ranges in ascending order, and the highest end of those up to each.
  private let starts: [UInt64]
  private let ends: [UInt64]

  init(index: Int, finding: Finding, hull: ClosedRange<UInt64>) {
    self.index = index
    self.hull = hull
    rule = finding.rule
    let extents = finding.extents.sorted { $0.lowerBound < $1.lowerBound }
    starts = extents.map(\.lowerBound)
    var ends: [UInt64] = []
    for part in extents { ends.append(max(part.upperBound, ends.last ?? 0)) }
    self.ends = ends
  }

  /// The highest end of the ranges that start at an address or below; nil where none does.
  private func end(startingBy address: UInt64) -> UInt64? {
    let index = starts.partitioningIndex { $0 > address }
    return index > 0 ? ends[index - 1] : nil
  }

  private func overlaps(_ part: ClosedRange<UInt64>) -> Bool {
    end(startingBy: part.upperBound).map { $0 >= part.lowerBound } ?? false
  }

  /// Whether another finding is only a consequence of this one.
  func explains(_ finding: Finding) -> Bool {
    if rule.id == finding.rule.id { return false }
    if finding.rule.givesWayTo.contains(rule.id) {
      // A sum over an area speaks of all of it.
      return finding.extents.contains(where: overlaps)
        || finding.premises.contains(where: overlaps)
    }
    return rule.explainsWhatLiesBelow
      && finding.extents.allSatisfy { part in
        end(startingBy: part.lowerBound).map { $0 >= part.upperBound } ?? false
      }
  }
}
