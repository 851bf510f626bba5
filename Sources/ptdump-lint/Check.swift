import KernelImages
import ArgumentParser
import Glibc
import MemoryImages
import PageTableLint

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Judge the tables: findings and an exit status.")

  @Argument(help: "Debugfs text dumps or memory images.")
  var inputs: [String] = []
  @OptionGroup var options: InputOptions
  @OptionGroup var report: ReportOptions<CheckFormat>
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
  @Option(help: "Only these rules, by id or name, separated by commas.")
  var only: [String] = []
  @Option(help: "All but these rules.")
  var skip: [String] = []

  func run() throws {
    let configuration = noConfig ? nil : try Configuration.find(config)
    let rules = try rules(configuration)
    let known = try readBaseline()
    func look() throws -> [Linter.Report] {
      try options.inputs(inputs).map { try self.look(at: $0, rules: rules, configuration) }
        .withoutNeededExceptions
    }
    let result = CheckResult(
      try look(), failOn: failOn.severity, allowIncomplete: allowIncomplete, version: version,
      baseline: known)
    if let writeBaseline {
      try writeFile(writeBaseline, Array(Baseline(result.reports).json().utf8))
    }
    try report.write { format, style in
      try format.report(result, detail: options.detail, style: style)
    }
    if let watch {
      try keepWatching(every: watch, from: result.reports) {
        let reports = try look()
        return known.map { reports.map($0.marking) } ?? reports
      }
    }
    if result.status != 0 { throw ExitCode(result.status) }
  }

  func validate() throws {
    guard config == nil || !noConfig else {
      throw ValidationError("--config and --no-config contradict each other")
    }
    guard let watch else { return }
    guard watch > 0 else { throw ValidationError("--watch takes a number of seconds, from 1") }
    guard !inputs.contains("-") else {
      throw ValidationError("--watch needs an INPUT that can be read again, not -")
    }
    guard report.format.allSatisfy({ $0.format == .text && $0.path == nil }) else {
      throw ValidationError("--watch prints text on standard output only")
    }
  }

  private func look(
    at input: InputOptions.Input, rules: [Rule], _ configuration: Configuration?
  ) throws -> Linter.Report {
    func once() throws -> Linter.Report {
      var subject = try options.subject(input)
      subject.configuration = configuration
      try options.takeLog(&subject)
      return Linter.run(subject, rules: rules)
    }
    return try input.isLive ? Linter.settled(look: once) : once()
  }

  /// Prints what changes in the findings, for ever.
  private func keepWatching(
    every seconds: UInt32, from first: [Linter.Report], look: () throws -> [Linter.Report]
  ) throws -> Never {
    var reports = first
    while true {
      // What was printed must not wait in a pipe's buffer.
      fflush(nil)
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

  private func readBaseline() throws -> Baseline? {
    guard let baseline else { return nil }
    let bytes = try ImageFile.content(path: baseline).wholeContent(limit: textLimit)
    return try Baseline(json: bytes, path: baseline)
  }

  /// Those that are asked for: by name, or all that the configuration leaves on.
  private func rules(_ configuration: Configuration?) throws -> [Rule] {
    let wanted = try named(only)
    let unwanted = try named(skip)
    return Rule.all.filter { rule in
      (wanted.isEmpty ? configuration?.turnsOff(rule) != true : wanted.contains(rule.id))
        && !unwanted.contains(rule.id)
    }
  }

  private func named(_ lists: [String]) throws -> [String] {
    try lists.flatMap { $0.split(separator: ",") }.map { try Rule.asked(for: String($0)).id }
  }
}

extension Rule {
  /// The rule of an id or name that the user gave.
  fileprivate static func asked(for name: String) throws -> Rule {
    guard let rule = named(name) else {
      throw ValidationError("no rule is named \(name); \(advice(for: name))")
    }
    return rule
  }
}

struct CPA: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cpa",
    abstract: "Judge a CPA self-test log, alone or against a dump or image.")

  @Argument(help: "A kernel log that holds a CPA self-test, or a memory image that holds its own.")
  var log: String
  @Argument(help: "A dump or image of the same boot.")
  var input: String?
  @OptionGroup var options: InputOptions
  @OptionGroup var report: ReportOptions<PlainFormat>

  func run() throws {
    var causes: [Finding] = []
    // A memory image brings its own log.
    let own = try Self.isImage(log) ? options.subject(log) : nil
    let runs = SelfTestLog.parse(try own.map { $0.image?.log?.value ?? "" } ?? readText(log))
    guard !runs.isEmpty else {
      complain("\(log): no CPA self-test in it; give a log from \"CPA self-test:\" on")
      throw ExitCode(2)
    }
    var evidence = SelfTestJudge.Evidence(userRelease: options.release)
    if let subject = try input.map(options.subject) ?? own {
      if let reason = subject.refuses(runs) {
        complain("ptdump-lint: \(subject.path) is not used: it is of another boot: \(reason)")
      } else {
        evidence = subject.evidence(userRelease: options.release)
        var judged = subject
        judged.selfTests = SelfTestJudge.judge(runs, evidence: evidence)
        causes = Linter.run(judged).findings.filter {
          ["PT201", "PT203", "PT301"].contains($0.rule.id)
        }
      }
    }
    let tests = SelfTestJudge.judge(runs, evidence: evidence)
    try report.write { format, style in
      switch format {
      case .text: TextReport.cpa(tests, cause: causes, style: style)
      case .json: try JSONReport.cpa(tests)
      }
    }
    let verdicts = tests.map(\.verdict)
    if verdicts.contains(where: { $0 == .realFailure || $0 == .mixed }) { throw ExitCode(1) }
    if tests.contains(where: {
      $0.verdict == .undetermined || $0.result == .incomplete
        || $0.failures.contains { $0.verdict == .undetermined }
    }) {
      throw ExitCode(3)
    }
  }
}

extension CPA {
  private static func isImage(_ path: String) throws -> Bool {
    try path != "-" && ImageFile.open([ImageFile.content(path: path)]) != nil
  }
}

struct Rules: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "The rule list.")

  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }
  @Option(help: "table or json.") var format: Format = .table

  func run() throws {
    switch format {
    case .json: print(try JSONReport.rules())
    case .table:
      for rule in Rule.all {
        print(
          "\(rule.id) \(rule.severity.rawValue) \(rule.name): \(rule.summary) "
            + "(\(rule.serves.inWords))")
      }
    }
  }
}

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "One rule, whole.")

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, markdown }
  @Option(help: "text or markdown.") var format: Format = .text
  @Argument(help: "A rule's id or name.") var rule: String

  func run() throws {
    let found = try Rule.asked(for: rule)
    switch format {
    case .markdown: print(RulePage.page(found), terminator: "")
    case .text:
      print("\(found.id) \(found.name) (\(found.severity.rawValue)): \(found.summary)\n")
      print(found.documentation)
    }
  }
}
