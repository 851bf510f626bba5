import ArgumentParser
import Confinement
import Glibc
import MemoryImages
import PageTableLint
import PageTables
import Synchronization

/// The inputs that a file names, one a line.
struct InputList: ExpressibleByArgument {
  let path: String

  init(argument: String) { path = argument }

  private static let read = Mutex<[String: Result<[String], ImageError>]>([:])

  /// The paths; a list is read once, since standard input gives it once.
  ///
  /// - Throws: `ImageError` where it cannot be read, or names nothing.
  func inputs() throws(ImageError) -> [String] {
    let known = Self.read.withLock { $0[path] }
    let result = known ?? Result { () throws(ImageError) in try lines() }
    Self.read.withLock { $0[path] = result }
    return try result.get()
  }

  private func lines() throws(ImageError) -> [String] {
    let text = try InputReader.text(of: path)
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    guard !lines.isEmpty else {
      throw ImageError(path, "names no input", advice: "give one path a line")
    }
    return lines
  }
}

/// The reports of a format of lines, written as inputs are judged.
struct LineStream {
  private let outputs: [ReportOutput]
  private var report = JSONLinesReport()

  init(_ targets: [ReportTarget<CheckFormat>], version: String) throws {
    outputs = try targets.filter { $0.format == .jsonl }.map { try ReportOutput($0.path) }
    try write { try $0.head(version: version) }
  }

  mutating func write(_ input: Linter.Report) throws { try write { try $0.lines(of: input) } }

  mutating func write(_ input: UnreadableInput) throws { try write { try $0.line(of: input) } }

  mutating func finish(_ result: CheckResult) throws {
    try write { try $0.tail(result) }
    for output in outputs { try output.finish() }
  }

  private mutating func write(_ lines: (inout JSONLinesReport) throws -> String) throws {
    guard !outputs.isEmpty else { return }
    let bytes = Array(try lines(&report).harmlessJSON.utf8)
    for output in outputs { try output.write(bytes) }
  }
}

extension Check {
  /// All inputs, in order.
  func pending() throws -> [PendingInput] {
    guard let inputsFrom else { return PendingInput.inputs(inputs) }
    let list = try inputsFrom.inputs()
    ProtectedFiles.add(inputs + list + [inputsFrom.path])
    return (inputs.isEmpty ? [] : PendingInput.inputs(inputs)) + PendingInput.each(of: list)
  }

  /// Whether each input is judged by a process of its own, which a hostile one may do to what it
  /// likes.
  ///
  /// A page of several is drawn from all of them, images and all.
  var judgesApart: Bool {
    (inputs.count > 1 || inputsFrom != nil || watch != nil) && !isDrawn
  }

  private var isDrawn: Bool { report.format.contains { $0.format == .html } }

  /// Judges inputs one after the other; one that cannot be read does not stop the rest.
  func judge(
    _ inputs: [PendingInput], into stream: inout LineStream, by judgement: Judgement
  ) throws -> (reports: [Linter.Report], unreadable: [UnreadableInput]) {
    var reports: [Linter.Report] = []
    var unreadable: [UnreadableInput] = []
    for input in inputs {
      do {
        let report = try judge(input, by: judgement)
        reports.append(report)
        try stream.write(report)
      } catch let error as ImageError {
        complain("\(error)")
        let input = UnreadableInput(input.path, error)
        unreadable.append(input)
        try stream.write(input)
      }
    }
    return (reports, unreadable)
  }

  /// Judges one input; its image is let go, but where a page is to be drawn of it.
  func judge(_ input: PendingInput, by judgement: Judgement) throws -> Linter.Report {
    let withFigures = report.format.contains { [.json, .jsonl].contains($0.format) }
    func judged() throws -> Linter.Report {
      let whole = try look(at: try input.opened(), by: judgement)
      return isDrawn ? whole : whole.lettingGo(withFigures: withFigures)
    }
    let report =
      try judgesApart
      ? judgedApart(input, confinedTo: noConfinement ? nil : options.reads, judged)
        .report(judgement.configuration)
      : judged()
    return judgement.known?.marking(report) ?? report
  }

  private func look(
    at input: InputReader.Input, by judgement: Judgement
  ) throws -> Linter.Report {
    func once() throws -> Linter.Report {
      var subject = try options.subject(
        input, judgingLog: true, tellingIncidental: false, filter: filter.mappings())
      subject.configuration = judgement.configuration
      return Linter.run(subject, rules: judgement.rules)
    }
    return try input.isLive ? Linter.settled(look: once) : once()
  }
}

/// Judges an input in a process of its own.
///
/// - Parameter further: the files that are read beside it; nil confines it to nothing.
/// - Throws: `ImageError` where that process does not end as it should.
func judgedApart(
  _ input: PendingInput, confinedTo further: [String]?, _ judge: () throws -> Linter.Report
) throws -> InputOutcome {
  let confine = {
    if let further { Confinement.enter(reading: input.paths + further, writing: []) }
  }
  let ending = ConfinedProcess.run(most: 1 << 28, confine: confine) {
    Progress.shared.start()
    defer { Progress.shared.end() }
    do {
      return try InputOutcome(of: judge).bytes()
    } catch {
      complain("\(error)")
      return []
    }
  }
  func failure(_ problem: String) -> ImageError {
    ImageError(
      input.path, problem, advice: "report it with the input, or with an extract of it")
  }
  switch ending {
  case .bytes(let bytes):
    guard let outcome = try? InputOutcome(bytes: bytes) else {
      throw failure("what the process that read it says cannot be understood")
    }
    return outcome
  case .signal(SIGKILL):
    throw ImageError(
      input.path, "the process that read it was killed",
      advice: "memory may have run out: give more, or --max-memory less", cause: .memory)
  case .signal(let signal):
    throw failure(
      "the process that read it ended by signal \(signal) (\(unsafe String(cString: strsignal(signal))))"
    )
  case .status(let status): throw failure("the process that read it ended with status \(status)")
  case .tooMuch: throw failure("its report is larger than 256 MiB")
  case .notStarted(let code):
    throw ImageError(
      input.path, failingTo: "no process can be started to read it", code: code,
      advice: "raise ulimit -u")
  }
}
