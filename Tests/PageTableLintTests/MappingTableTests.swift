import Support
import Testing

/// `dump` for people: a line a run, under what its columns are.
@Suite struct MappingTableTests {
  private func lines(_ options: [String]) throws -> [String] {
    let run = try ProgramRun(["dump"] + options + ["samples/writable-executable/kernel.txt"])
    #expect(run.status == 0)
    return run.output.split(separator: "\n").map(String.init)
  }

  @Test func titlesStandAboveTheirColumns() throws {
    let lines = try lines([])
    #expect(lines[0].hasPrefix("# samples/writable-executable/kernel.txt: x86-64 4-level"))
    let titles = lines[1]
    #expect(titles.hasPrefix("#start"))
    for line in lines.dropFirst(2) {
      let columns = line.split(separator: " ", omittingEmptySubsequences: true)
      #expect(columns[0].count == 37 && columns[0].contains("-0x"))
      // Sizes end where their title does; rights and flags start there.
      let size = try #require(titles.firstRange(of: "size"))
      let end = titles.distance(from: titles.startIndex, to: size.upperBound)
      #expect(line.prefix(end).hasSuffix(columns[1]))
      for title in ["lvl", "rwxu"] {
        let start = try #require(titles.firstRange(of: title)).lowerBound
        let at = titles.distance(from: titles.startIndex, to: start)
        #expect(line.dropFirst(at).first != " " && line.dropFirst(at - 1).first == " ")
      }
    }
    #expect(lines.contains { $0.contains(" r--  ") })
    #expect(lines.contains { $0.contains(" rwx  ") })
  }

  @Test func holesAreAskedFor() throws {
    #expect(try !lines([]).contains { $0.contains(" hole ") })
    let holes = try lines(["--filter", "hole"]).dropFirst(2)
    #expect(!holes.isEmpty && holes.allSatisfy { $0.contains(" hole ") })
    let json = try ProgramRun(["dump", "--style", "csv", "samples/healthy/kernel.txt"])
    #expect(json.output.contains(",hole,"))
  }
}
