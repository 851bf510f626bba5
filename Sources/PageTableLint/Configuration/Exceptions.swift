internal import PageTables

extension Configuration.Exception {
  /// Whether it accepts a finding: one of its rule that does not reach beyond its place.
  func covers(_ finding: Finding, in subject: Subject) -> Bool {
    guard !isExpired, finding.rule.id == rule, place.table.map({ $0 == finding.tableWord }) ?? true
    else { return false }
    if place.symbol == nil, place.range == nil {
      return place.area.map { $0.rawValue == finding.area } ?? true
    }
    guard let table = subject.tables.first(where: { $0.name == finding.table }),
      case .ranges(let ranges) = place.extent(in: table, of: subject)
    else { return false }
    return finding.lies(within: ranges)
  }

  /// Whether a finding of its would have been seen: its rule ran, and the place was looked at.
  func wasLookedFor(in subject: Subject, ran: Set<String>) -> Bool {
    guard ran.contains(rule), subject.isComplete, !subject.isPart else { return false }
    let tables = subject.tables.filter { table in
      place.table.map { $0 == Finding.word(ofTable: table.name) } ?? true
    }
    return tables.contains { table in
      if case .ranges = place.extent(in: table, of: subject) { true } else { false }
    }
  }
}

extension Finding {
  /// A table as a configuration names it: a process by its name alone.
  static func word(ofTable name: String) -> String {
    let stable = Table.stableName(name)
    return stable.hasPrefix("(") ? String(stable.dropFirst().dropLast()) : stable
  }

  fileprivate var tableWord: String { Self.word(ofTable: table) }
}

extension Subject {
  /// The exceptions that no finding needs, by their index.
  ///
  /// - Parameter rules: the ids of those that ran.
  func unusedExceptions(after findings: [Finding], of rules: Set<String>) -> [Int] {
    let needed = Set(findings.compactMap(\.exception))
    let exceptions = configuration?.exceptions ?? []
    return exceptions.indices.filter { index in
      !needed.contains(index) && !exceptions[index].isExpired
        && exceptions[index].wasLookedFor(in: self, ran: rules)
    }
  }
}

extension [Finding] {
  /// With the configuration's severities, and what its exceptions accept.
  ///
  /// A finding to which its rule gave another severity than its own keeps that.
  func configured(in subject: Subject) -> [Finding] {
    guard let configuration = subject.configuration else { return self }
    return map { finding in
      var finding = finding
      if finding.severity == finding.rule.severity,
        let severity = configuration.severities[finding.rule.id] ?? nil
      {
        finding.severity = severity
      }
      if let index = configuration.exceptions.firstIndex(where: { $0.covers(finding, in: subject) })
      {
        finding.exception = index
        finding.suppression = configuration.exceptions[index].reason
      }
      return finding
    }
  }
}

extension [Linter.Report] {
  /// Without what one input says of an exception that another one needs.
  package var withoutNeededExceptions: [Linter.Report] {
    let needed = Set(flatMap(\.findings).filter { $0.suppression != nil }.compactMap(\.exception))
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
