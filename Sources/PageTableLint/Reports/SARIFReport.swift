internal import PageTables

/// SARIF 2.1.0, for code scanning and what else reads analysers' results.
///
/// What lies in a memory image has no line: it is placed by logical locations beside the file.
///
/// Source: Static Analysis Results Interchange Format 2.1.0, OASIS, errata 01.
enum SARIFReport {
  private struct Log: Encodable {
    let schema =
      "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    let version = "2.1.0"
    let runs: [Run]

    enum CodingKeys: String, CodingKey { case schema = "$schema", version, runs }
  }
  private struct Run: Encodable {
    let tool: Tool
    let invocations: [Invocation]
    let artifacts: [Artifact]
    let results: [Result]
  }
  private struct Tool: Encodable { let driver: Driver }
  private struct Driver: Encodable {
    let name = "ptdump-lint"
    let version, semanticVersion: String
    let rules: [Descriptor]
  }
  private struct Descriptor: Encodable {
    let id, name: String
    let shortDescription, fullDescription, help: Message
    let defaultConfiguration: Configuration
    let properties: Tags
  }
  private struct Configuration: Encodable { let level: String }
  private struct Tags: Encodable { let tags: [String] }
  private struct Message: Encodable { let text: String }
  private struct Invocation: Encodable {
    let executionSuccessful = true
    let exitCode: Int32
    let exitCodeDescription: String
    let toolExecutionNotifications: [Notification]
  }
  private struct Notification: Encodable {
    let level: String
    let message: Message
    let descriptor: Reference
    let associatedRule: Reference?
    let locations: [Location]
  }
  private struct Reference: Encodable {
    let id: String
    var index: Int?
  }
  private struct Artifact: Encodable {
    let location: ArtifactLocation
    let roles = ["analysisTarget"]
    let description: Message
  }
  private struct ArtifactLocation: Encodable {
    let uri: String
    let index: Int?
  }
  private struct Location: Encodable {
    let physicalLocation: Physical
    var logicalLocations: [Logical]?
  }
  private struct Physical: Encodable {
    let artifactLocation: ArtifactLocation
    var region: Region?
  }
  private struct Region: Encodable { let startLine: Int }
  private struct Logical: Encodable { let name, kind, fullyQualifiedName: String }
  private struct Result: Encodable {
    let ruleId: String
    let ruleIndex: Int
    let level: String
    let message: Message
    let locations: [Location]
    let partialFingerprints: [String: String]
    let baselineState: String?
    let suppressions: [Suppression]
    let properties: Properties
  }
  private struct Suppression: Encodable {
    let kind = "external"
    let status = "accepted"
    let justification: String
  }
  private struct Properties: Encodable {
    let range: JSONReport.Range?
    let pages: UInt64?
    let level, entry, physical: String?
    let attributes: [String]
    let help, causeKey: String
  }

  static func check(_ result: CheckResult) throws -> String {
    let rules = result.rules
    let indices = Dictionary(
      rules.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    let artifacts = result.reports.enumerated().map { index, report in
      Artifact(
        location: ArtifactLocation(uri: uri(report.subject.path), index: index),
        description: Message(text: "\(report.subject.format), \(report.subject.mode.name)"))
    }
    let notifications = zip(result.reports, artifacts).flatMap { report, artifact in
      self.notifications(report, in: artifact.location, indices)
    }
    let results = zip(result.reports, artifacts).flatMap { report, artifact in
      report.findings.map { finding in
        self.result(
          finding, of: report, in: artifact.location,
          ruleIndex: indices[finding.rule.id] ?? 0)
      }
    }
    let unreadable = result.unreadable.map { input in
      Notification(
        level: "error", message: Message(text: input.remark.printable),
        descriptor: Reference(id: "unreadable"), associatedRule: nil,
        locations: [
          Location(
            physicalLocation: Physical(
              artifactLocation: ArtifactLocation(uri: uri(input.path), index: nil)))
        ])
    }
    let driver = Driver(
      version: result.version, semanticVersion: result.version, rules: rules.map(descriptor))
    return try JSONReport.encode(
      Log(
        runs: [
          Run(
            tool: Tool(driver: driver),
            invocations: [
              Invocation(
                exitCode: result.status, exitCodeDescription: result.summary,
                toolExecutionNotifications: notifications + unreadable)
            ], artifacts: artifacts, results: results)
        ]))
  }

  /// What a reader must know of how an input was read, and the rules that did not run.
  private static func notifications(
    _ report: Linter.Report, in artifact: ArtifactLocation, _ indices: [String: Int]
  ) -> [Notification] {
    let here = [Location(physicalLocation: Physical(artifactLocation: artifact))]
    func notification(
      _ level: String, _ text: String, _ id: String, rule: Reference? = nil
    ) -> Notification {
      Notification(
        level: level, message: Message(text: text), descriptor: Reference(id: id),
        associatedRule: rule, locations: here)
    }
    return [report.incompleteness.map { notification("warning", $0, "incomplete") }]
      .compactMap { $0 }
      + report.remarks.map { notification("note", $0.printable, "remark") }
      + report.skipped.map {
        notification(
          "note", $0.reason, "rule-skipped",
          rule: Reference(id: $0.rule.id, index: indices[$0.rule.id]))
      }
  }

  private static func descriptor(_ rule: Rule) -> Descriptor {
    Descriptor(
      id: rule.id, name: rule.name, shortDescription: Message(text: rule.summary),
      fullDescription: Message(text: rule.summary), help: Message(text: rule.documentation),
      defaultConfiguration: Configuration(level: rule.severity.rawValue),
      properties: Tags(tags: ["page-tables"]))
  }

  private static func result(
    _ finding: Judged, of report: Linter.Report, in artifact: ArtifactLocation, ruleIndex: Int
  ) -> Result {
    let mode = finding.mode ?? report.subject.mode
    let region = report.line(of: finding).map { Region(startLine: $0) }
    return Result(
      ruleId: finding.rule.id, ruleIndex: ruleIndex, level: finding.severity.rawValue,
      message: Message(
        text: ([finding.message] + finding.evidence.map { $0.text(mode) }).joined(separator: "\n")
          .printable),
      locations: [
        Location(
          physicalLocation: Physical(artifactLocation: artifact, region: region),
          logicalLocations: places(finding, in: report))
      ],
      partialFingerprints: ["ptdumpLint/v1": finding.fingerprint],
      baselineState: finding.isKnown.map { $0 ? "unchanged" : "new" },
      suppressions: [finding.suppression].compactMap { $0 }.map {
        Suppression(justification: $0)
      },
      properties: Properties(
        range: finding.hasRange
          ? JSONReport.Range(start: mode.text(finding.start), end: mode.text(finding.end)) : nil,
        pages: finding.report == nil || finding.hasRange ? finding.pages : nil,
        level: finding.level, entry: finding.entry?.entry,
        physical: finding.physical?.entry, attributes: finding.attributes, help: finding.help,
        causeKey: finding.causeKey))
  }

  /// The area, the symbol and the table.
  private static func places(_ finding: Judged, in report: Linter.Report) -> [Logical]? {
    guard finding.hasRange else { return nil }
    let table = finding.namedTable?.name
    let path = [table, finding.area].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: "/")
    let places = [
      finding.area.isEmpty
        ? nil : Logical(name: finding.area, kind: "area", fullyQualifiedName: path),
      report.symbol(of: finding).map {
        Logical(name: $0, kind: "symbol", fullyQualifiedName: "\(path)/\($0)")
      },
      table.map { Logical(name: $0, kind: "table", fullyQualifiedName: $0) },
    ]
    return places.compactMap { $0 }
  }

  /// A path as a URI reference: `file://` and an absolute one, or a relative one.
  ///
  /// Source: RFC 3986, 4.2: a colon in the first segment would be taken for a scheme's.
  static func uri(_ path: String) -> String {
    let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/".utf8)
    let escaped = path.utf8.map { byte in
      allowed.contains(byte)
        ? String(UnicodeScalar(byte)) : "%" + UInt64(byte).hex(digits: 2).uppercased()
    }.joined()
    return path.hasPrefix("/") ? "file://" + escaped : escaped
  }
}
