import Foundation
import SyntheticImages

/// What many processors would share.
extension Compare {
  /// Prints the instructions of all threads over those of the busiest, where 64 threads run.
  ///
  /// Callgrind counts those of each thread, which run one at a time.
  func sharing() throws {
    for (shape, gibibytes, goal) in [
      (SyntheticImage.Shape.uniform, 256, nil), (.random, 256, 8.0), (.uniform, 1024, 20.0),
    ] {
      let name = "64 threads, check, \(shape.rawValue), \(gibibytes) GiB"
      guard isWanted(name) else { continue }
      let path = try image(shape, gibibytes)
      // Of what is in the page cache: else the program asks the disk for it, table by table.
      _ = try dd(path)
      let counts = try instructions(["check", path])
      let (all, busiest) = (counts.reduce(0, +), counts.max() ?? 0)
      print(
        "\(name): \(all / 1_000_000) million instructions in all, \(busiest / 1_000_000) of the "
          + String(format: "busiest thread; ratio %.1f", Double(all) / Double(max(1, busiest)))
          + (goal.map { ", wanted \($0) or more" } ?? ""))
      fflush(nil)
    }
  }

  /// The instructions of each thread of the program.
  private func instructions(_ words: [String]) throws -> [Int] {
    let files = FileManager.default
    let counts = "\(folder)/threads"
    try? files.removeItem(atPath: counts)
    try files.createDirectory(atPath: counts, withIntermediateDirectories: true)
    _ = try Command(
      [
        "env", "LD_PRELOAD=\(folder)/processors.so", "SWIFT_DETERMINISTIC_HASHING=1", "valgrind",
        "--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes",
        "--callgrind-out-file=\(counts)/of", program,
      ] + words, statuses: [0, 1, 3])
    return try files.contentsOfDirectory(atPath: counts).compactMap { name in
      let text = try String(contentsOfFile: "\(counts)/\(name)", encoding: .utf8)
      return text.firstMatch(of: /(?m)^(?:totals|summary): (\d+)/).flatMap { Int($0.output.1) }
    }
  }
}
