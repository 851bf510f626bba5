import Foundation
import MemoryImages
import Support
import Testing

/// Inputs that ask for more than they hold: each ends as samples/hostile/expected.tsv says, soon and
/// in little memory.
@Suite struct HostileTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let file: String
    let status: Int32
    /// The command and its options, but the input.
    let command: [String]
    var testDescription: String { ([file] + command).joined(separator: " ") }
  }

  static let folder = Samples.root.appending(path: "samples/hostile").path
  static let cases: [Case] = {
    let list = try? String(contentsOfFile: "\(folder)/expected.tsv", encoding: .utf8)
    return (list ?? "").split(separator: "\n").map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      let words = fields[2].split(separator: " ").map(String.init)
      let isCheck = words.first.map { $0.hasPrefix("-") } ?? true
      return Case(
        file: fields[0], status: Int32(fields[1]) ?? -1,
        command: isCheck ? ["check", "--no-config"] + words : words)
    }
  }()

  private static let program = Samples.root.appending(path: ".build/release/ptdump-lint").path

  /// Runs a command, and prints what it said at most, its status, its seconds of the processor and
  /// its KiB of memory.
  private static let watch = """
    import os, sys, tempfile
    said = tempfile.TemporaryFile()
    child = os.fork()
    if child == 0:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        os.execv(sys.argv[1], sys.argv[1:])
    _, status, use = os.wait4(child, 0)
    said.seek(0)
    sys.stdout.buffer.write(said.read(4000))
    seconds = use.ru_utime + use.ru_stime
    print(f"\\n{os.waitstatus_to_exitcode(status)} {seconds:.3f} {use.ru_maxrss}")
    """

  @Test func eachFileHasItsLine() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
    #expect(Set(files).subtracting(["README.md", "expected.tsv"]) == Set(Self.cases.map(\.file)))
  }

  /// Two seconds of the processor, and 300 MB.
  @Test(arguments: cases) func endsAsExpected(_ input: Case) throws {
    try #require(
      FileManager.default.isExecutableFile(atPath: Self.program),
      "no release build at .build/release: run make build")
    let result = try Samples.run(
      ["timeout", "60", "/usr/bin/python3", "-c", Self.watch, Self.program] + input.command
        + ["\(Self.folder)/\(input.file)"])
    let text = String(decoding: result.output, as: UTF8.self)
    let figures = text.split(separator: "\n").last?.split(separator: " ").map(String.init) ?? []
    try #require(figures.count == 3, "\(text)")
    #expect(Int32(figures[0]) == input.status, "\(text)")
    #expect(try #require(Double(figures[1])) < 2)
    #expect(try #require(Int(figures[2])) < 300 << 10)
    #expect(text.utf8.count > 40, "no message")
  }

  /// A rule that would look at each leaf times each table stops, and what it leaves out is said.
  @Test func whatARuleLeavesOutIsSaid() throws {
    let run = try ProgramRun([
      "check", "--no-config", "--format", "json", "\(Self.folder)/pt107-512x64x20000.elf.xz",
    ])
    let report = try run.json()
    let inputs = report["inputs"] as? [[String: Any]] ?? []
    #expect(inputs.first?["complete"] as? Bool == false)
    let messages = (report["findings"] as? [[String: Any]] ?? []).filter {
      $0["rule"] as? String == "PT903"
    }.compactMap { $0["message"] as? String }
    #expect(
      messages.contains(
        "PT107 (table-page-user-mapped) was stopped: it would look at more than these tables warrant"
      ), "\(messages)")
  }

  /// 64 GiB of memory of which the file holds nothing.
  @Test func holesOfFilesAreNotRead() throws {
    try Samples.withTemporaryFile { path in
      var header = Array("EMiL".utf8)
      header.append(1, size: 4)
      header.append(0, size: 8)
      header.append((64 << 30) - 1, size: 8)
      header.append(0, size: 8)
      try Data(header).write(to: URL(filePath: path))
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      try file.truncate(atOffset: 64 << 30 + 32)
      try file.close()
      let result = try Samples.run(
        ["timeout", "60", "/usr/bin/python3", "-c", Self.watch, Self.program, "check", path])
      let text = String(decoding: result.output, as: UTF8.self)
      let figures = text.split(separator: "\n").last?.split(separator: " ").map(String.init) ?? []
      try #require(figures.count == 3, "\(text)")
      #expect(figures[0] == "2", "\(text)")
      #expect(try #require(Double(figures[1])) < 2)
    }
  }

  /// A gigabyte of nothing, wherever a text is expected.
  @Test(arguments: [
    ["check"], ["stats"], ["cpa"], ["fault"], ["check", "samples/healthy/kernel.txt", "--log"],
    ["check", "samples/healthy/kernel.txt", "--baseline"],
    ["check", "samples/healthy/kernel.txt", "--config"],
    ["check", "samples/healthy/kernel.txt", "--symbols"],
  ])
  func holesOfTextsAreNotRead(_ command: [String]) throws {
    try Samples.withTemporaryFile { path in
      try Data().write(to: URL(filePath: path))
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      try file.truncate(atOffset: 1 << 30)
      try file.close()
      let words = command.map { $0.hasPrefix("samples/") ? Samples.root.path + "/" + $0 : $0 }
      let result = try Samples.run(
        ["timeout", "60", "/usr/bin/python3", "-c", Self.watch, Self.program] + words + [path])
      let text = String(decoding: result.output, as: UTF8.self)
      let figures = text.split(separator: "\n").last?.split(separator: " ").map(String.init) ?? []
      try #require(figures.count == 3, "\(text)")
      #expect(figures[0] == "2", "\(text)")
      #expect(try #require(Double(figures[1])) < 2)
    }
  }

  /// A log is what the file system holds of its file: a hole in it is none of its lines.
  @Test func aLogWithAHoleIsRead() throws {
    try Samples.withTemporaryFile { path in
      let log = Samples.root.appending(path: "samples/cpa-2008/kernel.log")
      try FileManager.default.copyItem(at: log, to: URL(filePath: path))
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      try file.truncate(atOffset: 1 << 30)
      try file.close()
      let run = try ProgramRun(["cpa", path])
      let whole = try ProgramRun(["cpa", log.path])
      #expect(run.status == whole.status)
      #expect(run.output == whole.output)
    }
  }
}
