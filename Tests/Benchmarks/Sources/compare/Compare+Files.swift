import Foundation
import Glibc
import Measured
import SyntheticImages

/// What the disk, long texts and much output cost.
extension Compare {
  /// Images that are not in the page cache, beside the same tables read in the order of the disk.
  func cold() throws {
    for spread in [SyntheticImage.Spread.scattered, .dense] {
      let name = "stats, cold, tables apart in a file of 8 GiB, \(spread.rawValue)"
      guard isWanted(name) else { continue }
      let path = try SyntheticImage(.uniform, gibibytes: 8, spread: spread).write(into: folder)
      try pair(
        name, runs: 5, goal: 0.5,
        {
          try drop(path)
          return try run(["stats", path])
        }, "sorted reads in C, whole process",
        {
          try drop(path)
          return try Command(loopCommand("sorted-walk", path)).seconds
        })
    }
  }

  /// The tables of processes, which lie apart in a dump of a machine that ran for long.
  func coldProcesses() throws {
    let name = "user halves of 400 processes, cold, tables apart in a file of 8 GiB"
    guard isWanted(name) else { return }
    let image = SyntheticImage(.processes, gibibytes: 8, spread: .scattered)
    let path = try image.write(into: folder)
    func walk(isTold: Bool) throws -> Double {
      let open = try OpenImage(path: path)
      try drop(path)
      return timed { open.walkUserHalves(image.processRoots, isTold: isTold) }
    }
    try pair(
      name, runs: 3, goal: nil, { try walk(isTold: true) }, "a page fault for each table",
      { try walk(isTold: false) })
  }

  /// One whose tables lie side by side, beside the file as a whole.
  func coldContiguous() throws {
    let path = try image(.uniform, 256)
    try pair(
      "stats, cold, uniform, 256 GiB, tables side by side", runs: 5, goal: nil,
      {
        try drop(path)
        return try run(["stats", path])
      }, "dd",
      {
        try drop(path)
        return try dd(path)
      })
  }

  /// Takes a file out of the page cache.
  private func drop(_ path: String) throws {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { throw CocoaError(.fileReadUnknown) }
    defer { close(file) }
    fdatasync(file)
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// A log of 100 MB, alone and beside an image; the lines of a million runs.
  func texts() throws {
    let log = try self.log()
    let image = try image(.uniform, 16)
    func grep() throws -> Double {
      try Command(["grep", "-c", "BUG:", log], statuses: [0, 1]).seconds
    }
    try pair(
      "check, a log of 100 MB, whole process", runs: 5, goal: 0.33, { try run(["check", log]) },
      "grep", grep)
    try pair(
      "check, beside a log of 100 MB, whole process", runs: 5, goal: 0.33,
      { try run(["check", "--log", log, image]) }, "grep", grep)
    let runs = try self.image(.random, 128)
    for style in ["jsonl", "table"] {
      try pair(
        "dump --style \(style), a million runs, whole process", runs: 5, goal: 0.33,
        { try run(["dump", "--style", style, runs]) }, "dump --style kernel",
        { try run(["dump", "--style", "kernel", runs]) })
    }
  }

  /// A log as machines write it that run for long; no line of it is a report.
  private func log() throws -> String {
    let path = "\(folder)/log.txt"
    if FileManager.default.fileExists(atPath: path) { return path }
    var lines = ""
    for second in 0..<2000 {
      for message in [
        "usb 1-\(second % 9): new high-speed USB device number \(second) using xhci_hcd",
        "EXT4-fs (sda\(second % 7)): mounted filesystem with ordered data mode. Quota mode: none.",
        "audit: type=1400 audit(\(1_600_000_000 + second).000:\(second)): apparmor=\"STATUS\"",
      ] {
        let seconds = String(second)
        lines +=
          "[" + String(repeating: " ", count: 5 - seconds.count) + seconds + ".000000] "
          + message + "\n"
      }
    }
    var text = Data("[    0.000000] Linux version 6.12.0\n".utf8)
    while text.count < 100_000_000 { text += Data(lines.utf8) }
    try text.write(to: URL(filePath: path))
    return path
  }
}
