import CFuzzer
import Glibc
@testable import KernelImages
@testable import KernelText
@testable import MemoryImages
@testable import PageTableLint
@testable import PageTables

/// The readers of input: each takes bytes that nobody vouches for.
///
/// What they return is also judged and printed, as `check` does.
enum Targets {
  static let all: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
    "log": log, "text": text, "image": image, "symbols": symbols, "decode": decode,
    "configuration": configuration, "baseline": baseline, "packed": packed,
    "outcome": outcome,
  ]

  @Sendable private static func log(_ bytes: UnsafeRawBufferPointer) {
    let bytes = Array(bytes)
    var subject = Subject(log: LogReports(bytes: bytes.span), path: "log")
    subject.judgeSelfTests(SelfTestLog.parse(bytes.span))
    report(subject, bytes.count)
    // As a log beside an input is read: by the lines that the sieve leaves, and by its times.
    _ = GivenLog(bytes.span, beside: "[    1.000000] a\n")
    _ = KernelText.wholeLines(of: bytes.span)
  }

  @Sendable private static func text(_ bytes: UnsafeRawBufferPointer) {
    let bytes = Array(bytes)
    guard KernelText.matches(bytes.span) else { return }
    let text = KernelText.parse(bytes.span)
    guard let subject = try? Subject(text: text, path: "text") else { return }
    report(subject, bytes.count)
  }

  @Sendable private static func image(_ bytes: UnsafeRawBufferPointer) {
    withFile(bytes) { path in
      var reader = InputReader()
      reader.maxMemory = 64 << 20
      guard let file = try? MappedFile(path: path), PackedFormat.of(file) == nil,
        var subject = try? reader.read(.files([file]))
      else { return }
      try? reader.takeLog(&subject)
      report(subject, bytes.count)
      if let image = subject.image { _ = Extract.make(image, keepLog: true) }
    }
  }

  @Sendable private static func symbols(_ bytes: UnsafeRawBufferPointer) {
    withFile(bytes) { _ = try? SymbolFile.read($0) }
  }

  @Sendable private static func decode(_ bytes: UnsafeRawBufferPointer) {
    for item in EntryText(String(decoding: bytes, as: UTF8.self)).items {
      let found = EntryCandidates(
        item.entry, mode: nil, level: nil, context: EntryReading.Context(release: nil))
      _ = DecodeReport.text([DecodeReport.Entry(found, item)], style: TextStyle(color: false))
    }
  }

  @Sendable private static func configuration(_ bytes: UnsafeRawBufferPointer) {
    let yaml = String(decoding: bytes, as: UTF8.self)
    _ = try? Configuration(yaml: yaml, path: "configuration", today: "2026-01-01")
  }

  @Sendable private static func baseline(_ bytes: UnsafeRawBufferPointer) {
    _ = try? Baseline(json: Array(bytes), path: "baseline")
  }

  @Sendable private static func packed(_ bytes: UnsafeRawBufferPointer) {
    withFile(bytes) { _ = try? ImageFile.content(path: $0, limit: 1 << 20) }
  }

  /// What a process that reads an input hands to the one that reports.
  @Sendable private static func outcome(_ bytes: UnsafeRawBufferPointer) {
    guard let report = try? InputOutcome(bytes: Array(bytes)).report(nil) else { return }
    show(report, bytes.count)
  }

  /// The same of a real input, to start from.
  static func outcome(of path: String) throws -> [UInt8] {
    var subject = try InputReader().read(try InputReader.inputs([path])[0])
    try InputReader().takeLog(&subject)
    return try InputOutcome { Linter.run(subject).lettingGo(withFigures: true) }.bytes()
  }

  /// Judges, and prints in one format of nine, as the input's size has it: all of them would take most of
  /// the time.
  @Sendable private static func report(_ subject: Subject, _ size: Int) {
    let found = Linter.run(subject)
    show(found, size)
    if size % 16 == 0 { _ = Difference(found, found) }
  }

  @Sendable private static func show(_ found: Linter.Report, _ size: Int) {
    let result = CheckResult([found], failOn: .warning, allowIncomplete: false, version: "fuzz")
    let format = CheckFormat.allCases[size % CheckFormat.allCases.count]
    _ = try? format.report(result, detail: .verbose, style: TextStyle(color: false))
  }

  /// A file of its bytes that is in memory only.
  @Sendable private static func withFile(_ bytes: UnsafeRawBufferPointer, _ body: (String) -> Void)
  {
    let file = memory_file()
    guard file >= 0 else { return }
    defer { close(file) }
    guard write(file, bytes.baseAddress, bytes.count) == bytes.count else { return }
    body("/proc/self/fd/\(file)")
  }
}
