import PageTableLint
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

  /// Where a line does not fit the terminal, flags and what follows are a line of their own.
  @Test func aNarrowTerminalGetsTwoLines() throws {
    func lines(_ width: Int?) throws -> [String] {
      var text = ""
      let subject = Subject(image: try Samples.image("cpa-2008"))
      try MappingReport.write(subject.kernel, of: subject, style: .table, width: width) {
        text += $0
      }
      return text.split(separator: "\n").map(String.init)
    }
    let (wide, narrow) = (try lines(nil), try lines(60))
    // The owner of a page table is a line of its own where it does not fit.
    let owners = narrow.filter { $0.hasPrefix("    in ") }.count
    #expect(owners > 0 && narrow.count == 2 * wide.count - 1 + owners)
    let middle = try lines(100)
    #expect(middle.count == wide.count + middle.filter { $0.hasPrefix("    in ") }.count)
    for (lines, width) in [(middle, 100), (narrow, 60)] {
      #expect(lines.filter { $0.contains(" in ") }.allSatisfy { $0.count <= width })
      #expect(lines.allSatisfy { $0.last != " " })
    }
    #expect(narrow.dropFirst(3).allSatisfy { $0.hasPrefix("0x") || $0.hasPrefix("    ") })
    #expect(narrow.dropFirst(3).filter { $0.hasPrefix("0x") }.allSatisfy { $0.count <= 60 })
    #expect(wide.contains { $0.hasSuffix(" direct map in level2_ident_pgt") })
    #expect(!wide.contains { $0.contains("vmalloc in ") })
  }

  @Test func holesAreAskedFor() throws {
    #expect(try !lines([]).contains { $0.contains(" hole ") })
    let holes = try lines(["--filter", "hole"]).dropFirst(2)
    #expect(!holes.isEmpty && holes.allSatisfy { $0.contains(" hole ") })
    let json = try ProgramRun(["dump", "--style", "csv", "samples/healthy/kernel.txt"])
    #expect(json.output.contains(",hole,"))
  }
}
