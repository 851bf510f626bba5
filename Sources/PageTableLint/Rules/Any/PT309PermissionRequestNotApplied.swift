internal import PageTables

extension Rule {
  /// Memory that is not mapped as the configuration expects it.
  static let permissionRequestNotApplied = Rule(
    id: "PT309", name: "permission-request-not-applied", severity: .error,
    summary: "memory is not mapped as the configuration expects it", needs: [.expectations],
    documentation: """
      What: an expectation of .ptdump-lint.yml that the tables do not meet. It is about attributes,
      page size, or the share of large pages of an area, a symbol or a range. An expectation that
      cannot be checked (no symbols, no such symbol, a table that was not read) is a warning.
      Why: who asks for a protection by set_memory_ro() and its kin, or for large pages, does not
      learn that another path took it back. Nor that it was never set.
      How Linux should look: as its project says; docs/configuration.md shows how to say it.
      False alarm: an expectation that does not hold for this kernel. By area it is asked of mapped
      memory only, by symbol and range of each page; a text dump tells the leaf's own attributes.
      Fix: find who maps the run that is named, or correct the expectation.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12
      """
  ) { rule, subject in
    (subject.configuration?.expectations ?? []).flatMap { expectation in
      findBreaches(rule, subject, expectation)
    }
  }

  private static func findBreaches(
    _ rule: Rule, _ subject: Subject, _ expectation: Configuration.Expectation
  ) -> [Finding] {
    let place = expectation.place
    let origin: [Evidence] = [
      "expected because: \(expectation.reason)",
      "the expectation: \(subject.configuration?.path ?? ""):\(expectation.line)",
    ]
    func unchecked(_ reason: String) -> [Finding] {
      [
        Finding(
          rule, severity: .warning, "an expectation of \(place.text) was not checked: \(reason)",
          in: subject.kernel, runs: [], evidence: origin,
          help: "give what it needs, or correct the expectation")
      ]
    }
    let wanted = place.table ?? "kernel"
    let tables = subject.tables.filter { $0.id.word == wanted }
    guard !tables.isEmpty else { return unchecked("the \(wanted) table was not read") }
    return tables.flatMap { table -> [Finding] in
      let ranges: [ClosedRange<UInt64>]
      switch place.extent(in: table, of: subject) {
      case .unknown(let reason): return unchecked(reason)
      case .ranges(let found): ranges = found
      }
      // What was not asked for by --range is not there to be looked at.
      let runs = ranges.flatMap { table.runs(from: $0.lowerBound, through: $0.upperBound) }
      guard subject.mayLook(runs.count) else {
        return unchecked("all expectations together look at more than the tables warrant")
      }
      guard runs.contains(where: \.isLeaf) || !place.isWholeArea else {
        return unchecked("nothing is mapped there")
      }
      return [
        attributes(rule, subject, expectation, table, runs, origin),
        largePages(rule, subject, expectation, table, runs, origin),
      ].compactMap { $0 }
    }
  }

  /// What is mapped otherwise than by the attributes and the page size that are expected.
  private static func attributes(
    _ rule: Rule, _ subject: Subject, _ expectation: Configuration.Expectation, _ table: Table,
    _ runs: [Run], _ origin: [Evidence]
  ) -> Finding? {
    let place = expectation.place
    let mode = table.space.mode
    let broken = runs.filter { run in
      switch run.kind {
      case .unreadable: false
      case .hole, .notPresent: !place.isWholeArea
      case .leaf:
        !expectation.attributes.allSatisfy { $0.holds(run, mode) }
          || expectation.pageSize.map { $0 != mode.span(of: run).size } ?? false
      }
    }
    let wish =
      (expectation.attributes.map(\.rawValue) + [expectation.pageSize].compactMap { $0 })
      .joined(separator: ", ")
    guard !wish.isEmpty, !broken.isEmpty else { return nil }
    return Finding(
      rule, "\(place.text) must be \(wish): \(total(broken)) is not", in: table, runs: broken,
      evidence: ["the first: \(describe(broken[0], mode))"] + origin
        + evidence(broken, subject, table),
      help: "find who maps it so, or correct the expectation")
  }

  /// That less lies in large pages than is expected.
  private static func largePages(
    _ rule: Rule, _ subject: Subject, _ expectation: Configuration.Expectation, _ table: Table,
    _ runs: [Run], _ origin: [Evidence]
  ) -> Finding? {
    let leaves = runs.filter(\.isLeaf)
    guard let share = expectation.largePages, !leaves.isEmpty else { return nil }
    let all = leaves.reduce(0) { $0 + Double($1.size) }
    let small = leaves.filter { $0.level == 1 }
    let large = all == 0 ? 0 : 100 - 100 * small.reduce(0) { $0 + Double($1.size) } / all
    guard large < share else { return nil }
    return Finding(
      rule,
      "\(expectation.place.text) must have \(share.short)% in large pages: it has \(large.short)%",
      in: table, runs: small, evidence: origin + evidence(small, subject, table),
      help: "find what splits its pages, or correct the expectation")
  }

  private static func describe(_ run: Run, _ mode: TableFormat) -> String {
    guard run.isLeaf else { return "\(mode.text(run.start)) is not mapped" }
    let words = [
      run.access.isWritable ? "rw" : "ro",
      !run.access.isExecutable ? "nx" : "x",
      mode.isGlobal(run.flags) ? "global" : "not global",
      run.access.isUser ? "user" : "kernel",
      mode.memoryType(of: run)?.rawValue.lowercased() ?? "of unknown type", mode.span(of: run).size,
    ]
    return "\(mode.text(run.start)) is \(words.joined(separator: ", "))"
  }
}

extension Configuration.Place {
  /// Whether it is an area as a whole, of which only what is mapped is meant.
  fileprivate var isWholeArea: Bool { symbol == nil && range == nil }
}

extension Double {
  /// With one decimal, rounded down, so that 89.99 is not called 90.
  fileprivate var short: String {
    let tenths = Int(self * 10)
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
