internal import KernelImages
internal import PageTables

/// The reports of `diff`.
package enum DifferenceReport {
  // MARK: - Text

  /// A line a change, what could not be compared, and a line that sums it up.
  package static func text(
    _ difference: Difference, detail: TextReport.Detail, style: TextStyle
  ) -> String {
    var lines: [String] = []
    if difference.areOtherBuilds, detail != .quiet {
      let (old, new) = (difference.old.subject, difference.new.subject)
      lines.append("different builds: \(build(of: old)) and \(build(of: new))")
    }
    for group in grouped(difference.changes) {
      lines += self.lines(group, difference, style: style, all: detail == .verbose)
    }
    for (word, findings, subject) in [
      (style.red("new"), difference.newFindings, difference.new.subject),
      (style.green("gone"), difference.goneFindings, difference.old.subject),
    ] {
      for finding in findings {
        lines.append(
          "\(word): \(finding.severity.rawValue): \(finding.title): \(finding.message)")
        if finding.hasRange {
          lines.append(
            "    \(subject.mode.text(finding.start))-\(subject.mode.text(finding.end)), "
              + finding.area)
        }
      }
    }
    if detail != .quiet {
      lines += difference.notCompared.map { "not compared: \($0.what) (\($0.reason))" }
      if difference.mayBeSelfTests {
        lines.append(
          "note: a CPA self-test splits pages at random; give --log, which tells whether it ran")
      }
    }
    if detail == .quiet, difference.status == 0 { return "" }
    lines.append("ptdump-lint: \(summary(difference, style: style))")
    return lines.asLines
  }

  /// `6.12.117 (BUILD-ID cdf193b23b5f…)`.
  private static func build(of subject: Subject) -> String {
    let release = subject.facts.release?.value ?? "a kernel"
    return release + (subject.facts.buildID.map { " (BUILD-ID \($0.value.prefix(12))…)" } ?? "")
  }

  static func summary(_ difference: Difference, style: TextStyle) -> String {
    let verdict =
      difference.status == 1
      ? style.red("DIFFERENT")
      : difference.status == 3 ? style.magenta("INCOMPLETE") : style.green("no difference")
    return "\(verdict), \(difference.changes.count.counted("change")), "
      + "\(difference.newFindings.count.counted("new finding")), \(difference.goneFindings.count) gone"
      + (difference.isOneBoot ? ", one boot" : difference.areOtherBuilds ? ", two builds" : "")
      + ", exit status \(difference.status)"
  }

  /// Changes that say the same of different places.
  static func grouped(_ changes: [Difference.Change]) -> [[Difference.Change]] {
    var groups: [[Difference.Change]] = []
    var places: [String: Int] = [:]
    for change in changes {
      let key = [change.table, change.area, change.kind.rawValue, what(change)].joined(
        separator: "|")
      if let place = places[key] {
        groups[place].append(change)
      } else {
        places[key] = groups.count
        groups.append([change])
      }
    }
    return groups
  }

  private static let placesSaid = 3

  private static func lines(
    _ changes: [Difference.Change], _ difference: Difference, style: TextStyle, all: Bool
  ) -> [String] {
    guard let first = changes.first else { return [] }
    let word =
      switch first.kind {
      case .added: style.green("added")
      case .removed: style.red("removed")
      case .changed: style.magenta("changed")
      }
    let total = changes.reduce(UInt64(0)) { $0 &+ $1.size }.readableSize
    let table = first.table == "kernel" ? "" : "\(first.table) table, "
    var lines = [
      "\(word): \(table)\(first.area): "
        + "\(total)\(changes.count > 1 ? " in \(changes.count) places" : ""): \(what(first))"
    ]
    let shown = all ? changes.count : placesSaid
    for change in changes.prefix(shown) {
      guard let offset = change.offset else { continue }
      let places = [
        (change.old, difference.old.subject, "old"), (change.new, difference.new.subject, "new"),
      ].compactMap { side, subject, name in
        side?.range.map { range in
          "\(name) \(subject.mode.text(range.lowerBound))"
            + (subject.imageSymbol(at: range.lowerBound).map { " \($0)" } ?? "")
        }
      }
      lines.append("    +\(offset.entry) \(change.size.size): \(places.joined(separator: ", "))")
    }
    if changes.count > shown { lines.append("    and \(changes.count - shown) more") }
    return lines
  }

  /// `RW GLB NX 4K -> RW GLB 4K`.
  static func what(_ change: Difference.Change) -> String {
    func words(_ side: Difference.Side) -> String {
      let own =
        (side.flags.contains("USR") ? "u" : "-") + (side.flags.contains("RW") ? "w" : "-")
        + (side.flags.contains("NX") ? "-" : "x")
      let effective = side.effective.flatMap { $0 == own ? nil : "(with upper levels: \($0))" }
      return (side.flags + [side.level, effective ?? ""]).filter { !$0.isEmpty }.joined(
        separator: " ")
    }
    switch (change.old, change.new) {
    case (let old?, let new?):
      let same = words(old) == words(new)
      return same
        ? "\(words(old)), other frames: \(old.physical?.entry ?? "") -> \(new.physical?.entry ?? "")"
        : "\(words(old)) -> \(words(new))"
    case (let side?, nil), (nil, let side?): return words(side)
    case (nil, nil): return ""
    }
  }

  // MARK: - JSON

  private struct Report: Encodable {
    let schemaVersion = JSONReport.version
    let tool: JSONReport.Tool
    let old, new: JSONReport.Input
    let oneBoot, differentBuilds: Bool
    let summary: Summary
    let changes: [Change]
    let newFindings, goneFindings: [JSONReport.FindingRecord]
    let notCompared: [NotCompared]
  }
  private struct Summary: Encodable {
    let changes, newFindings, goneFindings: Int
    let exitStatus: Int32
  }
  private struct NotCompared: Encodable { let what, reason: String }
  private struct Change: Encodable {
    let kind: String
    let aspects: [String]
    let table, area: String
    let offset: String?
    let size: UInt64
    let old, new: Side?
  }
  private struct Side: Encodable {
    let range: JSONReport.Range?
    let pageSize: String?
    let flags: [String]
    let effective, physical: String?
  }

  package static func json(_ difference: Difference, version: String) throws -> String {
    func side(_ side: Difference.Side?, _ subject: Subject) -> Side? {
      side.map { side in
        Side(
          range: side.range.map {
            JSONReport.Range(
              start: subject.mode.text($0.lowerBound), end: subject.mode.text($0.upperBound &+ 1))
          }, pageSize: side.level.isEmpty ? nil : side.level, flags: side.flags,
          effective: side.effective, physical: side.physical?.entry)
      }
    }
    let old = difference.old.subject
    let new = difference.new.subject
    return try JSONReport.encode(
      Report(
        tool: JSONReport.Tool(version: version), old: JSONReport.input(old),
        new: JSONReport.input(new), oneBoot: difference.isOneBoot,
        differentBuilds: difference.areOtherBuilds,
        summary: Summary(
          changes: difference.changes.count, newFindings: difference.newFindings.count,
          goneFindings: difference.goneFindings.count, exitStatus: difference.status),
        changes: difference.changes.map { change in
          Change(
            kind: change.kind.rawValue, aspects: change.aspects.map(\.rawValue),
            table: change.table, area: change.area, offset: change.offset?.entry,
            size: change.size, old: side(change.old, old), new: side(change.new, new))
        },
        newFindings: difference.newFindings.map { JSONReport.record($0, input: 1, of: new) },
        goneFindings: difference.goneFindings.map { JSONReport.record($0, input: 0, of: old) },
        notCompared: difference.notCompared.map { NotCompared(what: $0.what, reason: $0.reason) }))
  }
}
