import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

struct CPA: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "cpa",
    abstract: "Judge a CPA self-test log, alone or against a dump or image.",
    discussion: """
      EXAMPLES:
        dmesg | ptdump-lint cpa -
        ptdump-lint cpa console.log vmcore

      EXIT STATUS:
        0  The test passed, or each failure is a false alarm.
        1  A real failure.
        2  No self-test in the log, or an input cannot be read.
        3  Undetermined, or the test did not end.
      """)

  @Argument(help: "A kernel log that holds a CPA self-test, or a memory image that holds its own.")
  var log: String
  @Argument(help: "A dump or image of the same boot.")
  var input: String?
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>

  var reads: [String] { options.reads + [log, input].compactMap { $0 } }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    var cause: (findings: [Judged], mode: TableFormat)?
    var refusal: LogRefusal?
    // A memory image brings its own log.
    let own = try Self.isImage(log) ? options.subject(log) : nil
    let text = try own.map { $0.image?.log?.value ?? "" } ?? InputReader.text(of: log)
    let runs = SelfTestLog.parse(text)
    guard !runs.isEmpty else {
      complain("\(log): no CPA self-test in it; give a log from \"CPA self-test:\" on")
      throw ExitCode(2)
    }
    let assumed = try options.reader().assumedFacts
    var evidence = SelfTestJudge.Evidence(
      userRelease: options.release, pti: assumed.pti?.value, pge: assumed.pge?.value,
      xen: assumed.xen?.value)
    if let subject = try input.map({ try options.subject($0) }) ?? own {
      let against = input == nil ? nil : subject.contradiction(of: text)
      if let reason = subject.refuses(runs) ?? against {
        refusal = LogRefusal(path: subject.path, reason: "it is of another boot: \(reason)")
      } else {
        evidence = subject.evidence(userRelease: options.release)
        var judged = subject
        judged.selfTests = SelfTestJudge.judge(runs, evidence: evidence)
        let findings = Linter.run(judged).findings.filter {
          ["PT201", "PT203", "PT301"].contains($0.rule.id)
        }
        cause = (findings: findings, mode: subject.mode)
      }
    }
    let tests = SelfTestJudge.judge(runs, evidence: evidence)
    try report.write { format, style in
      switch format {
      case .text: TextReport.cpa(tests, cause: cause, refusal: refusal, style: style)
      case .json: try JSONReport.cpa(tests, refusal: refusal)
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
