import Foundation
import PageTables
import Support
import Testing

import PageTableLint

/// What readers find in a log, they find in the lines of it that the sieve leaves.
@Suite struct LogSieveTests {
  private static let paths: [String] = {
    let posted = try? FileManager.default.contentsOfDirectory(
      atPath: Samples.root.appending(path: "samples/logs").path)
    return (posted ?? []).filter { $0.hasSuffix(".txt") }.sorted().map { "samples/logs/\($0)" }
      + (Samples.all + ["faults", "xen/cpa", "xen/cpa-2008"]).map { "samples/\($0)/kernel.log" }
      + ["samples/old/3.10.log"]
  }()

  private static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: Samples.root.appending(path: path)), as: UTF8.self)
  }

  private func isSame(_ log: String, _ name: String) {
    let sifted = LogSieve.text(of: log.utf8.span)
    #expect(LogReports(sifted) == LogReports(log), "\(name)")
    #expect(SelfTestLog.parse(sifted) == SelfTestLog.parse(log), "\(name)")
    #expect(LogText(sifted).boots == LogText(log).boots, "\(name)")
    #expect(
      PoisonLog.read(sifted).mapValues(\.number) == PoisonLog.read(log).mapValues(\.number),
      "\(name)")
    for mention in LogMention.allCases {
      #expect(sifted.mentions(mention) == log.mentions(mention), "\(name): \(mention)")
    }
    let lines = (log.utf8.count { $0 == 10 }, sifted.utf8.count { $0 == 10 })
    #expect(lines.0 == lines.1 || lines.0 + 1 == lines.1, "\(name)")
  }

  @Test(arguments: paths)
  func readersFindTheSame(path: String) throws {
    let log = try Self.text(path)
    isSame(log, "as it is")
    guard Effort.some(of: Self.paths, oneIn: 5).contains(path) else { return }
    let lines = log.split(separator: "\n", omittingEmptySubsequences: false)
    isSame(lines.map { "> " + $0 }.joined(separator: "\n"), "quoted")
    for column in [48, 72] {
      let wrapped = lines.flatMap { line in
        stride(from: 0, to: max(line.count, 1), by: column).map {
          line.dropFirst($0).prefix(column)
        }
      }
      isSame(wrapped.joined(separator: "\n"), "wrapped at \(column)")
    }
    let bare = lines.map { $0.replacing(#/^(<\d>)?\[ *\d+\.\d{6}\] /#, with: "") }
    isSame(bare.joined(separator: "\n"), "without stamps")
    // A message that an empty line, or another's line, cuts.
    for other in ["", "[    9.000000] usb 1-1: new device", "a line of a program"] {
      isSame(lines.flatMap { [$0, Substring(other)] }.joined(separator: "\n"), "with \(other)")
    }
  }

  /// Most of a boot says nothing of page tables.
  @Test func mostLinesAreLeftOut() throws {
    let log = try Self.text("samples/healthy-pti/kernel.log").split(separator: "\n")
      .filter { !$0.contains("CPA") }.joined(separator: "\n")
    let sifted = LogSieve.text(of: log.utf8.span)
    let kept = sifted.split(separator: "\n").count
    #expect(kept > 10 && kept < log.split(separator: "\n").count / 2, "\(kept)")
  }
}
