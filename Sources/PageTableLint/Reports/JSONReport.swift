internal import KernelImages
internal import FoundationEssentials
internal import MemoryImages
internal import PageTables

/// The report for programs; its shape is fixed by docs/schema.
package enum JSONReport {
  static let version = 1

  struct Check: Encodable {
    let schemaVersion = JSONReport.version
    let tool: Tool
    let inputs: [Input]
    let unreadable: [Unreadable]?
    let summary: Summary
    let findings: [FindingRecord]
    let skippedRules: [Skipped]
    let baseline: BaselineRecord?
    let cpaSelfTest: CPA?
    let faults: [FaultRecord]?
    let statistics: [StatisticsReport.Record]?
  }
  struct Tool: Encodable {
    let name = "ptdump-lint"
    let version: String
  }
  struct Input: Encodable {
    let path, format, architecture, pagingMode: String
    let release: String?
    let tables: [String]
    let range: Range?
    let filter: String?
    let logRefused: Refusal?
    let symbolsNotFound: SymbolsNotFound?
    let complete: Bool
    let log: LogRecord?
    let dumpLevel: UInt32?
    let tablesTakenForZero: Int?
    let facts: [String: FactRecord]
  }
  struct Refusal: Encodable { let path, reason: String }
  struct SymbolsNotFound: Encodable {
    /// Nil where no rules were asked for.
    let rulesSkipped: Int?
    let advice = Subject.symbolAdvice
  }
  struct FactRecord: Encodable { let value, source: String }
  struct Summary: Encodable {
    let errors, warnings, notes, reports, rulesRun, rulesSkipped: Int
    let exitStatus: Int32
  }
  struct Skipped: Encodable {
    let input: Int
    let rule, reason: String
  }
  struct Unreadable: Encodable {
    let path, reason, advice, cause: String

    init(_ input: UnreadableInput) {
      (path, reason, advice) = (input.path, input.reason, input.advice)
      cause = input.cause.rawValue
    }
  }
  struct BaselineRecord: Encodable {
    let known: Int
    let gone: [Baseline.Entry]
  }
  struct Range: Encodable { let start, end: String }
  struct FindingRecord: Encodable {
    let input: Int
    let rule, name, severity, message: String
    let table, area: String?
    let range: Range?
    let places: [Range]?
    let pages: UInt64?
    let level, entry, physical: String?
    let evidence: [String]
    let walk: [WalkStepRecord]?
    let help, fingerprint, causeKey: String
    let known: Bool?
    let suppression: String?
  }
  struct WalkStepRecord: Encodable {
    let level: String
    let index: Int
    let table, entry: String
    let owner: String?
  }
  struct CPA: Encodable {
    let schemaVersion = JSONReport.version
    /// Where several inputs may have one.
    let input: Int?
    let inputRefused: Refusal?
    let runs: [CPARun]
  }
  struct CPARun: Encodable {
    let testBit, testBitSource, result, verdict: String
    let statistics: [Statistics]
    let failures: [Failure]
  }
  struct Statistics: Encodable {
    let fourK, large, gigabyte, executable: UInt64
    let first, last: String
    let missed: UInt64
  }
  struct Failure: Encodable {
    let address: String
    let entry: String?
    let level: Int?
    let verdict, cause, explanation: String
  }

  static func check(_ result: CheckResult) throws -> String { try encode(object(result)) }

  static func object(_ result: CheckResult) -> Check {
    let reports = result.reports
    let tests = reports.flatMap(\.subject.selfTests)
    let statistics = reports.enumerated().compactMap { index, report in
      report.statistics.map { StatisticsReport.Record($0, input: index) }
    }
    return Check(
      tool: Tool(version: result.version),
      inputs: reports.map { input($0.subject, skipped: $0.skippedForSymbols) },
      unreadable: result.unreadable.isEmpty ? nil : result.unreadable.map(Unreadable.init),
      summary: summary(result),
      findings: reports.enumerated().flatMap { index, report in
        report.findings.map { record($0, input: index, of: report.subject) }
      },
      skippedRules: reports.enumerated().flatMap { skipped($1, input: $0) },
      baseline: baseline(result),
      cpaSelfTest: tests.isEmpty ? nil : object(tests), faults: faults(reports),
      statistics: statistics.isEmpty ? nil : statistics)
  }

  static func summary(_ result: CheckResult) -> Summary {
    func sum(_ count: (Linter.Report) -> Int) -> Int {
      result.reports.reduce(0) { $0 + count($1) }
    }
    return Summary(
      errors: sum { $0.count(.error) }, warnings: sum { $0.count(.warning) },
      notes: sum { $0.count(.note) }, reports: sum(\.reportCount), rulesRun: sum(\.rulesRun),
      rulesSkipped: sum(\.skipped.count), exitStatus: result.status)
  }

  static func skipped(_ report: Linter.Report, input: Int) -> [Skipped] {
    report.skipped.map { Skipped(input: input, rule: $0.rule.id, reason: $0.reason) }
  }

  static func baseline(_ result: CheckResult) -> BaselineRecord? {
    result.gone.map { gone in
      let known = result.reports.reduce(0) { $0 + $1.findings.count { $0.isKnown == true } }
      return BaselineRecord(known: known, gone: gone)
    }
  }

  /// The places of one finding at most; its range holds all of them.
  private static let mostPlaces = 1000

  static func record(_ finding: Judged, input: Int, of subject: Subject)
    -> FindingRecord
  {
    let mode = finding.mode ?? subject.mode
    // A report of the log may name no place.
    let hasPlace = finding.report == nil || finding.hasRange
    return FindingRecord(
      input: input, rule: finding.rule.id, name: finding.rule.name,
      severity: finding.severity.rawValue, message: finding.message,
      table: finding.namedTable?.name, area: finding.area.isEmpty ? nil : finding.area,
      range: hasPlace
        ? Range(start: mode.text(finding.start), end: mode.text(finding.end)) : nil,
      places: finding.extents.count > 1
        ? finding.extents.prefix(mostPlaces).map {
          Range(start: mode.text($0.lowerBound), end: mode.text($0.upperBound &+ 1))
        } : nil,
      pages: hasPlace ? finding.pages : nil,
      level: finding.level, entry: finding.entry?.entry, physical: finding.physical?.entry,
      evidence: finding.evidence.map { $0.text(mode) },
      walk: finding.walk(in: subject).map(steps), help: finding.help,
      fingerprint: finding.fingerprint, causeKey: finding.causeKey, known: finding.isKnown,
      suppression: finding.suppression)
  }

  private static func steps(_ walk: FindingWalk) -> [WalkStepRecord] {
    zip(walk.result.steps, walk.owners).map { step, owner in
      WalkStepRecord(
        level: walk.mode.level(step.level).name, index: step.index, table: step.table.entry,
        entry: step.entry.entry, owner: owner)
    }
  }

  /// - Parameter refusal: why the tables that were given are not used.
  package static func cpa(
    _ tests: [SelfTestJudge.Judgement], refusal: LogRefusal? = nil
  ) throws -> String {
    try encode(object(tests, refusal: refusal))
  }

  private struct RuleRecord: Encodable {
    let id, name, severity, summary: String
    let serves: [String]
    let needs: [String]
    /// By heading, in plain text.
    let documentation: [String: String]
  }

  /// All rules.
  package static func rules() throws -> String {
    try encode(Rule.all.map(record))
  }

  /// One rule.
  package static func explain(_ rule: Rule) throws -> String { try encode(record(rule)) }

  private static func record(_ rule: Rule) -> RuleRecord {
    RuleRecord(
      id: rule.id, name: rule.name, severity: rule.severity.rawValue, summary: rule.summary,
      serves: rule.serves.names, needs: rule.needs.map(\.inWords),
      documentation: Dictionary(
        RulePage.sections(rule).map { ($0.label, $0.text) }, uniquingKeysWith: { $1 }))
  }

  private struct Extracted: Encodable {
    let schemaVersion = JSONReport.version
    let image, path: String
    let bytes: Int
  }

  /// What `extract` wrote.
  package static func extract(_ path: String, bytes: Int, of image: String) throws -> String {
    try encode(Extracted(image: image, path: path, bytes: bytes))
  }

  package static func info(_ subject: Subject) throws -> String { try encode(input(subject)) }

  /// - Parameter skipped: the rules that did not run for want of symbols, where any were asked for.
  static func input(_ subject: Subject, skipped: Int? = nil) -> Input {
    Input(
      path: subject.path, format: subject.format,
      architecture: subject.mode.architecture.name,
      pagingMode: subject.mode.name, release: subject.facts.release?.value,
      tables: subject.isLogAlone ? [] : subject.tables.map(\.name),
      range: subject.range.map {
        Range(
          start: subject.mode.text($0.lowerBound), end: subject.mode.text($0.upperBound &+ 1))
      },
      filter: subject.filter?.text,
      logRefused: subject.logRefusal.map { Refusal(path: $0.path, reason: $0.reason) },
      symbolsNotFound: subject.lacksSymbols ? SymbolsNotFound(rulesSkipped: skipped) : nil,
      complete: subject.isJudgedWhole, log: subject.isLogAlone ? LogRecord(subject) : nil,
      dumpLevel: subject.dumpLevel,
      tablesTakenForZero: subject.tablesTakenForZero == 0 ? nil : subject.tablesTakenForZero,
      facts: Dictionary(
        subject.facts.listed.map { ($0.name, FactRecord(value: $0.value, source: $0.source)) },
        uniquingKeysWith: { first, _ in first }))
  }

  static func object(
    _ tests: [SelfTestJudge.Judgement], input: Int? = nil, refusal: LogRefusal? = nil
  ) -> CPA {
    CPA(
      input: input,
      inputRefused: refusal.map { Refusal(path: $0.path, reason: $0.reason) },
      runs: tests.map { test in
        CPARun(
          testBit: test.testBit.rawValue, testBitSource: test.testBitSource,
          result: test.result.rawValue, verdict: test.verdict.rawValue,
          statistics: test.run.statistics.map {
            Statistics(
              fourK: $0.fourK, large: $0.large, gigabyte: $0.gigabyte, executable: $0.executable,
              first: $0.first.address, last: $0.last.address, missed: $0.missed)
          },
          failures: test.failures.map {
            Failure(
              address: $0.failure.address.address, entry: $0.failure.entry?.entry,
              level: $0.failure.level, verdict: $0.verdict.rawValue, cause: $0.cause.rawValue,
              explanation: $0.explanation)
          })
      })
  }

  package static func encode(_ value: some Encodable, pretty: Bool = true) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }
}
