internal import PageTables

extension Configuration.Exception {
  /// Whether it accepts a finding: one of its rule that does not reach beyond its place.
  func covers(_ finding: Finding, in subject: Subject) -> Bool {
    guard !isExpired, finding.rule.id == rule, place.table.map({ $0 == finding.table.word }) ?? true
    else { return false }
    if place.symbol == nil, place.range == nil {
      return place.area.map { $0.name == finding.area } ?? true
    }
    guard let table = subject.tables.first(where: { $0.id == finding.table }),
      case .ranges(let ranges) = place.extent(in: table, of: subject)
    else { return false }
    return finding.lies(within: ranges)
  }

  /// Whether a finding of its would have been seen: its rule ran, and the place was looked at.
  func wasLookedFor(in subject: Subject, ran: Set<String>) -> Bool {
    guard ran.contains(rule), subject.isComplete, !subject.isPart else { return false }
    let tables = subject.tables.filter { table in
      place.table.map { $0 == table.id.word } ?? true
    }
    return tables.contains { table in
      if case .ranges = place.extent(in: table, of: subject) { true } else { false }
    }
  }
}

extension Subject {
  /// The exceptions that no finding needs, by their index.
  ///
  /// - Parameter rules: the ids of those that ran.
  func unusedExceptions(after findings: [Judged], of rules: Set<String>) -> [Int] {
    let needed = Set(findings.compactMap(\.coveredBy))
    let exceptions = configuration?.exceptions ?? []
    return exceptions.indices.filter { index in
      !needed.contains(index) && !exceptions[index].isExpired
        && exceptions[index].wasLookedFor(in: self, ran: rules)
    }
  }
}

extension [Judged] {
  /// With the configuration's severities, and what its exceptions accept.
  ///
  /// A finding to which its rule gave another severity than its own keeps that.
  func configured(in subject: Subject) -> [Judged] {
    guard let configuration = subject.configuration else { return self }
    return map { judged in
      var judged = judged
      if judged.severity == judged.rule.severity,
        let severity = configuration.severities[judged.rule.id] ?? nil
      {
        judged.severity = severity
      }
      if let index = configuration.exceptions.firstIndex(where: {
        $0.covers(judged.finding, in: subject)
      }) {
        judged.coveredBy = index
        judged.suppression = configuration.exceptions[index].reason
      }
      return judged
    }
  }
}

extension [Linter.Report] {
  /// Without what one input says of an exception that another one needs.
  package var withoutNeededExceptions: [Linter.Report] {
    let needed = Set(flatMap(\.findings).compactMap(\.coveredBy))
    return map { report in
      var report = report
      report.findings.removeAll { finding in
        finding.rule.id == Rule.unusedException.id
          && finding.exception.map(needed.contains) == true
      }
      return report
    }
  }
}

extension Rule {
  /// A rule that judges the configuration's exceptions, when the rules of tables are done.
  ///
  /// - Parameter judge: its last argument has the indices of those that no finding needs.
  init(
    id: String, name: String, severity: Severity, summary: String, needs: [Need],
    documentation: String, comparesParts: Bool = false,
    judge: @escaping @Sendable (Rule, Subject, [Int]) -> [Finding]
  ) {
    self.init(
      id: id, name: name, severity: severity, summary: summary, needs: needs,
      documentation: documentation, comparesParts: comparesParts, checkExceptions: judge,
      check: { _, _ in [] })
  }
}
