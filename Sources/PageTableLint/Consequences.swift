internal import PageTables

extension [Finding] {
  /// One finding a cause: what lies wholly inside a place where a table or a pointer is wrong, and
  /// what another rule's finding in its area explains, goes into that finding's evidence.
  var withoutConsequences: [Judged] {
    // Few rules explain others: only their findings are asked.
    let yielded = Set(flatMap(\.rule.givesWayTo))
    let causes = enumerated().filter {
      $0.element.report == nil && $0.element.hull != nil
        && ($0.element.rule.explainsWhatLiesBelow || yielded.contains($0.element.rule.id))
    }.map { Cause(index: $0.offset, finding: $0.element) }
    var effort = Cause.mostSteps
    var isConsequence = [Bool](repeating: false, count: count)
    var consequences: [Int: [Evidence]] = [:]
    for (index, finding) in enumerated() {
      guard !finding.rule.explainsWhatLiesBelow, finding.report == nil,
        let cause = causes.first(where: { $0.explains(finding, &effort) })
      else { continue }
      isConsequence[index] = true
      consequences[cause.index, default: []].append(
        .consequence(rule: finding.rule.id, message: finding.message))
    }
    return indices.filter { !isConsequence[$0] }.map {
      Judged(self[$0], evidence: consequences[$0] ?? [])
    }
  }
}

/// A finding that may explain others.
private struct Cause {
  let index: Int
  private let rule: Rule
  private let hull: ClosedRange<UInt64>
  /// The ranges in ascending order, and the highest end of those up to each.
  private let starts: [UInt64]
  private let ends: [UInt64]

  /// Comparisons after which findings stand for themselves: it hides none.
  static let mostSteps = 1 << 24

  init(index: Int, finding: Finding) {
    self.index = index
    rule = finding.rule
    hull = finding.hull ?? 0...0
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

  /// Whether another finding is only a consequence of this one.
  func explains(_ finding: Finding, _ effort: inout Int) -> Bool {
    effort -= 1
    guard effort > 0, rule.id != finding.rule.id, let other = finding.hull, hull.overlaps(other)
    else { return false }
    if finding.rule.givesWayTo.contains(rule.id) {
      // A sum over an area speaks of all of it.
      effort -= finding.extents.count
      return finding.extents.contains { part in
        end(startingBy: part.upperBound).map { $0 >= part.lowerBound } ?? false
      }
    }
    guard rule.explainsWhatLiesBelow, hull.lowerBound <= other.lowerBound,
      other.upperBound <= hull.upperBound
    else { return false }
    effort -= finding.extents.count
    return finding.extents.allSatisfy { part in
      end(startingBy: part.lowerBound).map { $0 >= part.upperBound } ?? false
    }
  }
}
