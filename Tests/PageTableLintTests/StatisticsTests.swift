import Foundation
import KernelImages
import PageTableLint
import PageTables
import Support
import Testing

/// `stats` for programs, against figures that are counted another way.
@Suite struct StatisticsTests {
  @Test(arguments: ["healthy", "cpa-2008", "healthy-5level"])
  func figuresAreThoseOfTheRuns(_ sample: String) throws {
    let subject = Subject(image: try Samples.image(sample))
    let table = subject.kernel
    let figures = TableStatistics(table)
    let mapped = table.space.runs.filter(\.isLeaf).reduce(UInt64(0)) { $0 &+ $1.size }
    #expect(figures.areas.reduce(UInt64(0)) { $0 &+ $1.bySize.values.reduce(0, &+) } == mapped)
    #expect(
      figures.areas.reduce(UInt64(0)) { $0 &+ $1.byProtection.values.reduce(0, &+) } == mapped)
    let line = DirectMapStatistics(table, pages: nil)
    #expect(figures.directMapPages[2 << 20, default: 0] == line.large)
    #expect(figures.directMapPages[1 << 30, default: 0] == line.gigabyte)
  }

  /// Each place of 2 MiB is looked at page by page.
  @Test func splitsAreThoseOfThePages() throws {
    let table = Subject(image: try Samples.image("cpa-2008")).kernel
    let mode = table.space.mode
    let area = try #require(table.layout.first(.directMap))
    let last = try #require(
      table.space.runs(from: area.start, through: area.last).last(where: \.isLeaf)?.last)
    var wanted: [[String]: UInt64] = [:]
    var start = area.start
    while start < last {
      defer { start += 2 << 20 }
      let pages = stride(from: start, to: start + (2 << 20), by: 4096).map {
        table.space.run(at: $0)
      }
      guard pages.allSatisfy({ $0?.isLeaf == true && $0?.level == 1 }) else { continue }
      let flags = pages.compactMap { $0.map { $0.flags & ~mode.incidental } }
      let differs = flags.reduce(0, |) & ~flags.reduce(~0, &)
      wanted[mode.names(differs, level: 1), default: 0] += 1
    }
    #expect(wanted.values.reduce(0, +) > 10)
    let splits = TableStatistics(table).splits.filter { $0.size == 2 << 20 }
    #expect(
      Dictionary(splits.map { ($0.differs, $0.count) }, uniquingKeysWith: +) == wanted)
  }

  /// OpenMetrics: each sample's family is declared, each is a number, and the text ends as it must.
  @Test func openMetricsIsWellFormed() throws {
    let run = try ProgramRun(["stats", "--format", "openmetrics", "samples/healthy/memory.elf"])
    #expect(run.status == 0)
    #expect(run.output.hasSuffix("# EOF\n"))
    var families: Set<Substring> = []
    var samples = 0
    for line in run.output.split(separator: "\n").dropLast() {
      let words = line.split(separator: " ")
      if line.hasPrefix("# TYPE") { families.insert(words[2]) }
      guard !line.hasPrefix("#") else { continue }
      samples += 1
      #expect(families.contains(line.prefix { $0 != "{" }))
      #expect(Double(words.last ?? "") != nil, "\(line)")
    }
    #expect(families.count == 5 && samples > 10)
  }
}

/// Where commands write.
@Suite struct OutputTests {
  /// A file is replaced as a whole, and a link stays a link.
  @Test func filesAreRenamedIntoPlace() throws {
    try Samples.withTemporaryFile { path in
      let link = path + ".link"
      defer { try? FileManager.default.removeItem(atPath: link) }
      try Data("before".utf8).write(to: URL(filePath: path))
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
      let run = try ProgramRun(["rules", "--format", "json=\(link)"])
      #expect(run.status == 0 && run.output == "")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
      #expect(try Data(contentsOf: URL(filePath: path)).starts(with: Data("[".utf8)))
      let folder = URL(filePath: path).deletingLastPathComponent().path
      let name = URL(filePath: path).lastPathComponent
      let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
        $0.hasPrefix(name) && $0.hasSuffix(".part")
      }
      #expect(left == [])
    }
  }

  /// No output replaces an input, under whichever name.
  @Test func inputsStayAsTheyAre() throws {
    let sample = try Data(contentsOf: URL(filePath: Samples.path("healthy", "memory.elf")))
    try Samples.withTemporaryFile { path in
      try sample.write(to: URL(filePath: path))
      let link = path + ".link"
      defer { try? FileManager.default.removeItem(atPath: link) }
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
      for arguments in [
        ["extract", path, "-o", link], ["info", path, "--format", "json=\(link)"],
        ["check", path, "--write-baseline", path], ["dump", path, "--format", "json=\(path)"],
      ] {
        let run = try ProgramRun(arguments)
        #expect(run.status == 2 && run.errors.contains("is an input"), "\(arguments)")
      }
      #expect(try Data(contentsOf: URL(filePath: path)) == sample)
    }
  }

  /// `--format` and `--color` on every command.
  @Test(arguments: [
    ["dump"], ["stats"], ["info"], ["walk"], ["rmap"], ["check"], ["diff"], ["cpa"], ["extract"],
    ["rules"],
    ["explain"],
  ])
  func everyCommandTakesFormatAndColor(_ command: [String]) throws {
    let help = try ProgramRun(command + ["--help"]).output
    #expect(help.contains("--format") && help.contains("--color"))
  }
}
