import Dispatch
import Foundation
import Measured
import SyntheticImages

/// Measures ptdump-lint beside what others do on the same file, in turn, and prints the medians.
///
///     compare PROGRAM FOLDER PEERS [WORD...]
///
/// PROGRAM is the release build, FOLDER holds the images and the peers in C and has room for 15 GB,
/// PEERS holds the scripts to compare with, and PYTHON of the environment is an interpreter with drgn. With
/// words, only the lines whose names hold one of them are measured.
@main struct Compare {
  let program: String
  let folder: String
  let peers: String
  let wanted: [String]
  private let python = ProcessInfo.processInfo.environment["PYTHON"] ?? "python3"

  static func main() throws {
    let words = Array(CommandLine.arguments.dropFirst())
    guard words.count >= 3 else { fatalError("compare PROGRAM FOLDER PEERS [WORD...]") }
    let compare = Compare(
      program: words[0], folder: words[1], peers: words[2], wanted: Array(words.dropFirst(3)))
    // First, while this process is small: a command's peak counts what it was started from.
    try compare.memory()
    try compare.walks()
    try compare.commands()
    try compare.cold()
    try compare.coldProcesses()
    try compare.coldContiguous()
    try compare.texts()
    try compare.growth()
    try compare.sharing()
  }

  func image(_ shape: SyntheticImage.Shape, _ gibibytes: Int = 64) throws -> String {
    try SyntheticImage(shape, gibibytes: gibibytes).write(into: folder)
  }

  func isWanted(_ name: String) -> Bool {
    wanted.isEmpty || wanted.contains { name.contains($0) }
  }

  /// Measures two things in turn and prints the median of how many times faster the first is.
  func pair(
    _ name: String, runs: Int = 15, goal: Double?, _ ours: () throws -> Double, _ other: String,
    _ theirs: () throws -> Double
  ) rethrows {
    guard isWanted(name) else { return }
    // Not counted: what is read for the first time.
    _ = try ours()
    _ = try theirs()
    var times: [(Double, Double)] = []
    for _ in 0..<runs { times.append((try ours(), try theirs())) }
    let ratio = median(times.map { $0.1 / $0.0 })
    print(
      "\(name): \(milliseconds(times.map(\.0))); \(other): \(milliseconds(times.map(\.1))); "
        + "ratio \(String(format: "%.2f", ratio))" + (goal.map { ", wanted \($0) or more" } ?? ""))
    fflush(nil)
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func milliseconds(_ seconds: [Double]) -> String {
    String(format: "%.1f ms", 1000 * median(seconds))
  }

  func dd(_ path: String) throws -> Double {
    try Command(["dd", "if=\(path)", "of=/dev/null", "bs=1M"]).told ?? .nan
  }

  /// One of the loops in C.
  func loopCommand(_ name: String, _ path: String) -> [String] {
    ["\(folder)/\(name)", path, "0x" + String(SyntheticImage.root, radix: 16), "4"]
  }

  /// The seconds of the program as a whole.
  func run(_ words: [String]) throws -> Double {
    try Command([program] + words, statuses: [0, 1, 3], keepsOutput: false).seconds
  }

  /// The seconds of the loop alone.
  private func loop(_ path: String) throws -> Double {
    try Command(loopCommand("kdump-walk", path)).told ?? .nan
  }

  private func walks() throws {
    let uniform = try image(.uniform)
    let open = try OpenImage(path: uniform)
    let half = try OpenImage(path: image(.uniform, 32))
    let random = try OpenImage(path: image(.random))
    func one(_ image: OpenImage) -> Double { timed { image.walk(inParallel: false) } }
    try pair(
      "walk, uniform, one thread", goal: 0.5, { one(open) }, "dd", { try dd(uniform) })
    try pair(
      "walk, uniform, one thread, against the loop", goal: 2, { one(open) }, "libkdumpfile loop",
      { try loop(uniform) })
    try pair(
      "walk, random, one thread", goal: 1, { one(random) }, "libkdumpfile loop",
      { try loop(image(.random)) })
    pair(
      "walk, uniform, two threads", goal: 0.85, { timed { open.walk(inParallel: true) } },
      "two walks at once, each over half the tables",
      {
        timed {
          DispatchQueue.concurrentPerform(iterations: 2) { _ in half.walk(inParallel: false) }
        }
      })
    for shape in [SyntheticImage.Shape.random, .sparse, .fiveLevel, .shared] {
      let other = try OpenImage(path: image(shape))
      pair(
        "walk, \(shape.rawValue), all processors", goal: nil,
        { timed { other.walk(inParallel: true) } }, "one thread", { one(other) })
    }
    let judged = random.judged()
    pair(
      "all rules, random", goal: 1, { timed { judged.lint() } }, "the walk on one thread",
      { one(random) })
    try parsing()
    let compressed = "\(folder)/uniform-64.kdump"
    if !FileManager.default.fileExists(atPath: compressed) {
      _ = try Command([python, "\(peers)/elf-to-kdump.py", uniform, compressed])
    }
    let kdump = try OpenImage(path: compressed)
    try pair(
      "walk, uniform in kdump-zlib, all processors", runs: 5, goal: 1,
      { timed { kdump.walk(inParallel: true) } }, "libkdumpfile loop",
      { try loop(compressed) })
    try pair(
      "walk, uniform in kdump-zlib, one thread", runs: 5, goal: nil, { one(kdump) },
      "libkdumpfile loop", { try loop(compressed) })
    if (try? Command([python, "-c", "import drgn"])) != nil {
      try pair(
        "walk, uniform, all processors", runs: 3, goal: nil,
        { timed { open.walk(inParallel: true) } }, "drgn and a loop in Python",
        { try Command([python, "\(peers)/drgn-walk.py", uniform]).told ?? .nan })
    } else {
      print("no drgn: not compared")
    }
  }

  private func parsing() throws {
    let path = "\(folder)/lines.txt"
    if !FileManager.default.fileExists(atPath: path) {
      let text = try OpenImage(path: image(.permissions, 34)).text
      try Data(text).write(to: URL(filePath: path))
    }
    let text = try Array(Data(contentsOf: URL(filePath: path)))
    try pair(
      "parse, \(text.count(where: { $0 == 10 })) lines of text", goal: 0.1,
      { timed { parse(text) } }, "dd", { try dd(path) })
  }

  private func commands() throws {
    for shape in [SyntheticImage.Shape.uniform, .random, .permissions] {
      let path = try image(shape)
      for command in ["stats", "check"] {
        for (peer, other, goal) in [
          ("kdump-walk", "libkdumpfile loop", 2.0), ("mapped-walk", "best loop", 0.5),
        ] {
          try pair(
            "\(command), \(shape.rawValue), whole process", goal: goal,
            { try run([command, path]) },
            "\(other), whole process", { try Command(loopCommand(peer, path)).seconds })
        }
      }
    }
    let small = "\(folder)/small.txt"
    let lines = String(
      decoding: try Data(contentsOf: URL(filePath: "\(folder)/lines.txt")), as: UTF8.self
    )
    .split(separator: "\n").prefix(400).joined(separator: "\n")
    try Data((lines + "\n").utf8).write(to: URL(filePath: small))
    func start(_ name: String, _ words: [String]) throws {
      try pair(
        name, runs: 51, goal: nil,
        { try Command([program] + words, statuses: [0, 1, 3]).processorSeconds },
        "true", { try Command(["true"]).processorSeconds })
    }
    print("the program: \(try size(program)) bytes")
    try start("start, the processor's time, --version", ["--version"])
    try start("start, the processor's time, check of 400 lines of text", ["check", small])
  }

  private func size(_ path: String) throws -> Int {
    try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
  }

  private func memory() throws {
    for (words, shape, gibibytes) in [
      (["check"], SyntheticImage.Shape.uniform, 64), (["check"], .uniform, 1024),
      (["check"], .random, 64), (["dump", "--style", "jsonl"], .random, 128),
      (["dump", "--style", "table"], .random, 128),
    ] {
      let name =
        "memory of \(words.joined(separator: " ")), \(shape.rawValue), \(gibibytes) GiB mapped"
      guard isWanted(name) else { continue }
      let path = try image(shape, gibibytes)
      let size = try self.size(path)
      let ran = try Command([program] + words + [path], statuses: [0, 1, 3], keepsOutput: false)
      func megabytes(_ bytes: Int) -> String { "\((bytes + 500_000) / 1_000_000) MB" }
      print(
        "\(name): \(megabytes(ran.peakMemory)) at most, "
          + "\(megabytes(max(0, ran.peakMemory - size))) beyond the file of \(megabytes(size)); "
          + String(format: "%.2f s", ran.seconds))
      fflush(nil)
    }
  }

  /// How the walk's time goes with tables, runs and processes; on one thread, but for the last.
  private func growth() throws {
    func print(_ name: String, _ seconds: Double, _ count: Int, _ unit: String) {
      let each = String(format: "%.0f ns a \(unit)", 1e9 * seconds / Double(count))
      Swift.print(
        "\(name): \(milliseconds([seconds])), \(count) \(unit == "process" ? "processes" : unit + "s"), \(each)"
      )
      fflush(nil)
    }
    func time(_ body: () -> Void) -> Double {
      body()
      return median((0..<7).map { _ in timed(body) })
    }
    for gibibytes in [16, 64, 256, 1024] where isWanted("growth") {
      let open = try OpenImage(path: image(.uniform, gibibytes))
      print(
        "growth, uniform, \(gibibytes) GiB", time { open.walk(inParallel: false) },
        open.walk(inParallel: false).tables, "table")
    }
    for gibibytes in [16, 64, 256] where isWanted("growth") {
      let open = try OpenImage(path: image(.random, gibibytes))
      print(
        "growth, random, \(gibibytes) GiB", time { open.walk(inParallel: false) },
        open.walk(inParallel: false).runs, "run")
    }
    for count in [400, 5000] where isWanted("growth") {
      let processes = SyntheticImage(.processes, gibibytes: 1, processes: count)
      let open = try OpenImage(path: processes.write(into: folder))
      print(
        "growth, user halves, all processors", time { open.walkUserHalves(processes.processRoots) },
        count, "process")
    }
    for count in [32_000, 64_000] where isWanted("growth") {
      let findings = ManyFindings(count)
      print("growth, consequences of findings", time { findings.settle() }, count, "finding")
    }
  }
}
