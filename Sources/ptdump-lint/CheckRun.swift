import ArgumentParser
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

  /// Judges inputs one after the other; one that cannot be read does not stop the rest.
  ///
  /// Each image is let go before the next one is read, but where a page is to be drawn of them all.
  ///
  /// - Parameter inputs: none is left of them.
  func judge(
    _ inputs: inout [PendingInput], into stream: inout LineStream,
    look: (InputReader.Input) throws -> Linter.Report
  ) throws -> (reports: [Linter.Report], unreadable: [UnreadableInput]) {
    let withFigures = report.format.contains { [.json, .jsonl].contains($0.format) }
    let isDrawn = report.format.contains { $0.format == .html }
    var reports: [Linter.Report] = []
    var unreadable: [UnreadableInput] = []
    inputs.reverse()
    while let next = inputs.popLast() {
      let judged: Linter.Report
      do {
        let whole = try look(next.opened())
        judged = isDrawn ? whole : whole.lettingGo(withFigures: withFigures)
      } catch let error as ImageError {
        complain("\(error)")
        let input = UnreadableInput(next.path, error)
        unreadable.append(input)
        try stream.write(input)
        continue
      }
      reports.append(judged)
      try stream.write(judged)
    }
    return (reports, unreadable)
  }
}
