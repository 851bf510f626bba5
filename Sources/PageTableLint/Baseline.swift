internal import PageTables
internal import FoundationEssentials
package import MemoryImages

/// Findings that are known, by their fingerprints.
///
/// They hold across boots (docs/formats.md), so a baseline of one boot serves the next ones.
package struct Baseline: Sendable, Equatable {
  package struct Entry: Codable, Sendable, Equatable {
    /// What the finding says, for people: the fingerprint decides.
    package let finding: String
    package let fingerprint: String
    package let rule: String
    /// The table's name, as it is the same in each boot.
    package let table: String
  }

  /// By rule and fingerprint, each once.
  package let entries: [Entry]
  private let fingerprints: Set<String>

  private init(entries: [Entry]) {
    var seen: Set<String> = []
    self.entries = entries.filter { seen.insert($0.fingerprint).inserted }.sorted {
      ($0.rule, $0.fingerprint) < ($1.rule, $1.fingerprint)
    }
    fingerprints = seen
  }

  /// What reports found; left out is what an exception accepts, and what only one look at moving
  /// tables saw.
  package init(_ reports: [Linter.Report]) {
    self.init(
      entries: reports.flatMap(\.findings).filter { $0.suppression == nil && !$0.isPassing }.map {
        Entry(
          finding: "\($0.severity.rawValue): \($0.rule.name), \($0.area): \($0.message)".printable,
          fingerprint: $0.fingerprint, rule: $0.rule.id, table: $0.stableTable)
      })
  }

  private static let version = 1
  private struct File: Decodable {
    let schemaVersion: Int
    let findings: [Entry]
  }

  /// Reads a baseline's file.
  ///
  /// - Throws: `ImageError` where it is none.
  package init(json bytes: [UInt8], path: String) throws(ImageError) {
    guard let file = try? JSONDecoder().decode(File.self, from: Data(bytes)),
      file.schemaVersion == Self.version
    else {
      throw ImageError(
        path, "not a baseline of version \(Self.version)",
        advice: "write one by ptdump-lint check --write-baseline")
    }
    self.init(entries: file.findings)
  }

  /// The file: a line a finding.
  package func json() throws -> String {
    let lines = try entries.map {
      "    " + (try JSONReport.encode($0, pretty: false)).dropLast()
    }
    return """
      {
        "schemaVersion" : \(Self.version),
        "findings" : [
      \(lines.joined(separator: ",\n"))
        ]
      }

      """
  }

  /// The report, with each finding told whether it is known.
  package func marking(_ report: Linter.Report) -> Linter.Report {
    var report = report
    for index in report.findings.indices {
      report.findings[index].isKnown = fingerprints.contains(report.findings[index].fingerprint)
    }
    return report
  }

  /// The findings that are no longer there: their rules ran and their tables were read, whole, and
  /// no report has them.
  package func gone(from reports: [Linter.Report]) -> [Entry] {
    let found = Set(reports.flatMap(\.findings).map(\.fingerprint))
    return entries.filter { entry in
      !found.contains(entry.fingerprint)
        && reports.allSatisfy { !$0.isIncomplete && !$0.subject.isPart }
        && reports.contains { $0.looked(for: entry.rule, in: entry.table) }
    }
  }
}

extension Linter.Report {
  /// Whether a rule ran, and on a table of that name.
  func looked(for rule: String, in table: String) -> Bool {
    rules.contains { $0.id == rule } && !skipped.contains { $0.rule.id == rule }
      && subject.tables.contains { $0.stableName == table }
  }
}
