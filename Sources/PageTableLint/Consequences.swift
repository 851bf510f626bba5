internal import PageTables

extension [Finding] {
  /// One finding a cause: what lies wholly inside a place where a table or a pointer is wrong, and
  /// what another rule's finding in its area explains, goes into that finding's evidence.
  var withoutConsequences: [Judged] {
    var isConsequence = [Bool](repeating: false, count: count)
    var consequences: [Int: [Evidence]] = [:]
    for (index, finding) in enumerated() {
      guard let cause = firstIndex(where: { $0.explains(finding) }) else { continue }
      isConsequence[index] = true
      consequences[cause, default: []].append(
        .consequence(rule: finding.rule.id, message: finding.message))
    }
    return indices.filter { !isConsequence[$0] }.map {
      Judged(self[$0], evidence: consequences[$0] ?? [])
    }
  }
}

extension Finding {
  /// Whether another finding is only a consequence of this one.
  fileprivate func explains(_ finding: Finding) -> Bool {
    if rule.id == finding.rule.id || finding.rule.explainsWhatLiesBelow { return false }
    // `takingReports` decides of those.
    if finding.report != nil { return false }
    if finding.rule.givesWayTo.contains(rule.id) {
      // A sum over an area speaks of all of it.
      return finding.extents.contains { part in extents.contains(where: part.overlaps) }
    }
    return rule.explainsWhatLiesBelow && finding.lies(within: extents)
  }
}
