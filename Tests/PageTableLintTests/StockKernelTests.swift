import Foundation
import KernelImages
import PageTableLint
import PageTables
import Support
import Testing

/// Kernels as they are distributed: nothing is wrong with them.
@Suite struct StockKernelTests {
  private static let samples = [
    "5.10-cloud", "7.3-cloud", "7.3-kexec", "7.3-modules", "6.1-modules", "6.1-686-pae", "6.1-686",
  ]

  private func report(_ image: KernelImage) throws -> Linter.Report {
    var subject = Subject(image: image)
    let log = try #require(image.log?.value)
    #expect(subject.take(log: log, userRelease: nil) == nil)
    return Linter.run(subject)
  }

  @Test(arguments: samples)
  func nothingIsFound(_ sample: String) throws {
    let image = try Samples.image("stock/\(sample)")
    let report = try report(image)
    #expect(report.findings.map(\.rule.id) == [])
    #expect(!report.isIncomplete)
    #expect(try #require(image.symbols).count > 40_000)
    // The rules that judge the direct map did so.
    let skipped = report.skipped.map(\.rule.id)
    #expect(!skipped.contains("PT305") && !skipped.contains("PT304"))
  }

  /// The kernel's lists have each leaf of the modules area, and most of vmalloc's, where the tables
  /// have it; and the modules that were loaded.
  @Test(arguments: ["7.3-modules", "6.1-modules"])
  func vmallocIsListed(_ sample: String) throws {
    let image = try Samples.image("stock/\(sample)")
    let pages = try #require(image.vmallocPages())
    let table = Subject(image: image).kernel
    func listed(_ kind: Area.Kind) -> (all: UInt64, listed: UInt64) {
      var (all, listed) = (UInt64(0), UInt64(0))
      for run in table.layout.runs(kind, in: table.space) where run.isLeaf {
        all += run.size
        for piece in pages.pieces where piece.start <= run.last && run.start <= piece.last {
          let (start, last) = (max(piece.start, run.start), min(piece.last, run.last))
          listed += last - start + 1
          #expect(run.physical(of: start, span: 4096) == piece.physical + (start - piece.start))
        }
      }
      return (all, listed)
    }
    let modules = listed(.modules)
    #expect(modules.all == modules.listed && modules.all > 100 << 10)
    let vmalloc = listed(.vmalloc)
    #expect(vmalloc.listed * 10 > vmalloc.all * 9, "\(vmalloc)")
    #expect(
      try #require(image.moduleTexts()).map(\.name) == ["cpuid", "dummy", "loop", "msr", "tun"])
  }

  /// What kexec made executable is told by symbols; without them two pages of that shape are a note,
  /// and a third is none of kexec's.
  @Test func pagesOfKexec() throws {
    let image = try Samples.image("stock/7.3-kexec")
    let pages = try #require(image.kexecPages)
    #expect(pages.count == 2)
    let table = try #require(Subject(image: image).tables.first)
    let base = try #require(table.layout.first(.directMap)).start
    let executable = table.layout.runs(.directMap, in: table.space).filter {
      $0.isLeaf && $0.access.isExecutable && $0.start - base >= 1 << 20
    }
    #expect(executable.count == 2)
    for run in executable {
      #expect(pages.contains { $0.contains(run.start - base) })
    }
    let text = try KernelReport.text(table, of: Subject(image: image)).text
    let found = Linter.run(try Subject(text: text, path: "kernel.txt")).findings
    #expect(found.map(\.rule.id) == ["PT004"])
    #expect(found.allSatisfy { $0.severity == .note })
  }

  /// Where no symbol tells what a 32-bit kernel would mark, its dump is refused.
  @Test func unknownAreasAreNotDumped() throws {
    let packed = try Samples.imagePath("stock/6.1-686-pae")
    let run = try ProgramRun(["dump", "--style", "kernel", packed])
    #expect(run.status == 2)
    #expect(run.errors.contains("address_markers") && run.output.isEmpty)
    let statistics = try ProgramRun(["stats", "--style", "cpa", packed])
    #expect(statistics.output.hasPrefix("4k 3040 large 186 gb 0 x 313["))
  }
}
