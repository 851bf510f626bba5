import KernelImages
import ArgumentParser
import Glibc
import MemoryImages
import PageTableLint

struct Check: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Judge the tables: findings and an exit status.",
    discussion: """
      EXAMPLES:
        ptdump-lint vmcore
        ptdump-lint check --format sarif=tables.sarif kernel.txt

      EXIT STATUS:
        0  The input was read whole; nothing at or above --fail-on was found.
        1  Findings at or above --fail-on.
        2  Not analysed: wrong usage, unreadable input, no such table.
        3  Analysed in part, and nothing was found in the rest.
      """)

  @Argument(
    help: "Memory images, text dumps of debugfs or kernel logs; the running kernel without one.")
  var inputs: [String] = []
  @Option(
    help: ArgumentHelp(
      "A file that names an INPUT a line; each is judged by itself. - is standard input.",
      valueName: "file"))
  var inputsFrom: InputList?
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<CheckFormat>
  @Option(help: "The severity from which exit status 1 is given.")
  var failOn = FailOn.warning
  @Flag(help: "Status 3 becomes 0.")
  var allowIncomplete = false
  @Option(help: "A configuration; .ptdump-lint.yml otherwise, from this folder upward.")
  var config: String?
  @Flag(help: "Use no configuration.")
  var noConfig = false
  @Option(help: "A file of findings that are known: they do not count.")
  var baseline: String?
  @Option(help: "Write the findings to a file, for --baseline.")
  var writeBaseline: String?
  @Option(help: "Look again every so many seconds and print what changed, until interrupted.")
  var watch: UInt32?
  @OptionGroup var filter: FilterOption
  @Option(
    help: ArgumentHelp(
      "Only these rules, by id, name or family (PT2), separated by commas; repeatable.",
      valueName: "rules"))
  var only: [String] = []
  @Option(help: ArgumentHelp("All but these rules; repeatable.", valueName: "rules"))
  var skip: [String] = []

  var reads: [String] {
    inputs + ((try? inputsFrom?.inputs()) ?? []) + options.reads
      + [baseline, noConfig ? nil : Configuration.path(config)].compactMap { $0 }
  }
  var writes: [String] { report.writes + [writeBaseline].compactMap { $0 } }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    let judgement = try judgement()
    ProtectedFiles.add(inputs + options.reads)
    let pending = try pending()
    var stream = try LineStream(report.format, version: version)
    let (judged, unreadable) = try judge(pending, into: &stream, by: judgement)
    let result = CheckResult(
      judged.withoutNeededExceptions, failOn: failOn.severity, allowIncomplete: allowIncomplete,
      version: version, baseline: judgement.known, unreadable: unreadable)
    try stream.finish(result)
    if judged.isEmpty || (watch != nil && !unreadable.isEmpty) {
      // What cannot be read is no report for people; standard error has told it.
      try report.write(where: { $0 == .json }) { format, style in
        try format.report(result, detail: options.detail, style: style)
      }
      throw ExitCode(result.status)
    }
    if let writeBaseline {
      try writeFile(writeBaseline, Array(Baseline(result.reports).json().utf8))
    }
    try report.write(where: { $0 != .jsonl }) { format, style in
      try format.report(result, detail: options.detail, style: style)
    }
    if let watch {
      try keepWatching(every: watch, from: result.reports) {
        try pending.map { try judge($0, by: judgement) }.withoutNeededExceptions
      }
    }
    if result.status != 0 { throw ExitCode(result.status) }
  }

  func validate() throws {
    guard config == nil || !noConfig else {
      throw ValidationError("--config and --no-config contradict each other")
    }
    do {
      _ = try RuleChoice.rules(only: only, skip: skip)
    } catch {
      throw ValidationError(error.description)
    }
    guard let watch else { return }
    guard inputsFrom == nil else {
      throw ValidationError("--watch looks at INPUT…, not at --inputs-from")
    }
    guard watch > 0 else { throw ValidationError("--watch takes a number of seconds, from 1") }
    guard !inputs.contains("-") else {
      throw ValidationError("--watch needs an INPUT that can be read again, not -")
    }
    guard report.format.allSatisfy({ $0.format == .text && $0.path == nil }) else {
      throw ValidationError("--watch prints text on standard output only")
    }
  }

  /// Prints what changes in the findings, for ever.
  private func keepWatching(
    every seconds: UInt32, from first: [Linter.Report], look: () throws -> [Linter.Report]
  ) throws -> Never {
    var reports = first
    while true {
      sleep(seconds)
      let now = try look()
      for (old, new) in zip(reports, now) {
        try report.write { _, style in
          TextReport.changes(from: old, to: new, style: style) ?? ""
        }
      }
      reports = now
    }
  }

  /// By what inputs are judged.
  struct Judgement {
    let rules: [Rule]
    let configuration: Configuration?
    let known: Baseline?
  }

  private func judgement() throws -> Judgement {
    let configuration = noConfig ? nil : try Configuration.find(config)
    return Judgement(
      rules: try RuleChoice.rules(only: only, skip: skip, configuration),
      configuration: configuration, known: try readBaseline())
  }

  private func readBaseline() throws -> Baseline? {
    guard let baseline else { return nil }
    let limit = InputReader.textLimit
    let bytes = try ImageFile.content(path: baseline, limit: UInt64(limit))
      .wholeContent(limit: limit)
    return try Baseline(json: bytes, path: baseline)
  }
}
