import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint

struct FaultCommand: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "fault",
    abstract: "Explain each fault and table report of a log, alone or against tables.",
    discussion: """
      Each report is judged by the entries that it prints, and by the tables where they are given. \
      Without LOG the running kernel's own log is read.

      EXAMPLES:
        dmesg | ptdump-lint fault -
        ptdump-lint fault oops.txt vmcore

      EXIT STATUS:
        0  No report at or above --fail-on.
        1  A report at or above --fail-on.
        2  Not analysed: wrong usage, or an input cannot be read.
        3  Tables were read in part, and no report was found.
      """)

  @Argument(
    help: "A kernel log, or a memory image or a dump that holds its own; - is standard input.")
  var log: String?
  @Argument(help: "A dump or an image of the same boot.")
  var tables: String?
  @Option(help: "The severity from which the exit status is 1: error, warning, note or never.")
  var failOn = FailOn.warning
  @Flag(help: "Exit with 0 where tables were read in part.")
  var allowIncomplete = false
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PageFormat>

  var reads: [String] { options.reads + [log, tables].compactMap { $0 } }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    try FaultReports(
      log: log, tables: tables, failOn: failOn.severity, allowIncomplete: allowIncomplete,
      options: options, write: { make in try report.write(make) }
    ).run()
  }
}

/// What `fault` does, and `walk --fault`.
struct FaultReports {
  let log, tables: String?
  let failOn: Severity?
  let allowIncomplete: Bool
  let options: InputOptions
  /// Writes the report that is made for each format that is asked for.
  let write: (_ make: (PageFormat, TextStyle) throws -> String) throws -> Void

  func run() throws {
    let subject = try read()
    if subject.told.isEmpty {
      complain(
        "ptdump-lint: no fault in the log of \(subject.path)"
          + (subject.panic.map { "; it says: \($0)" } ?? ""))
    }
    try write { format, style in
      switch format {
      case .json: try JSONReport.faults(subject)
      case .text: TextReport.faults(subject, style: style)
      case .html: try FaultPage.make(subject, version: version)
      }
    }
    let isGrave = subject.told.contains { judged in
      guard let least = failOn, let severity = judged.severity else { return false }
      return severity >= least
    }
    if isGrave { throw ExitCode(1) }
    if !subject.isComplete, !allowIncomplete { throw ExitCode(3) }
  }

  /// The log's reports, judged by the tables where there are some.
  private func read() throws -> Subject {
    guard let log else {
      guard let own = RunningKernel.log else {
        throw ImageError(
          "/dev/kmsg", offset: 0, "the kernel's log cannot be read",
          advice: "run it as root, or pass a log: dmesg | ptdump-lint fault -")
      }
      return Subject(log: LogReports(own.value), path: own.source)
    }
    if let tables {
      var subject = try options.subject(tables)
      try options.requireTables(subject, advice: "give the log first, then the dump or the image")
      let given = try GivenLog(path: log, beside: subject.log?.value)
      if let reason = subject.take(given, userRelease: options.release) {
        complain(
          "ptdump-lint: \(tables) is not used: the log is of another boot: \(reason)")
        return Subject(log: LogReports(given.text), path: log, release: options.release)
      }
      return subject
    }
    return try options.subject(log, judgingLog: true)
  }
}
