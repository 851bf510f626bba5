import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Limits of rules and statistics: what lies just inside them, and what just outside.
@Suite struct LimitTests {
  private func findings(_ dump: String) throws -> [String] {
    Linter.run(try Fixtures.subject(dump: dump)).findings.map { "\($0.rule.id) \($0.severity)" }
  }

  /// A line of a text dump.
  private func line(_ start: UInt64, _ end: UInt64, _ columns: String) -> String {
    let size = end - start
    let text = size % (1 << 20) == 0 ? "\(size >> 20)M" : "\(size >> 10)K"
    return "\(start.address)-\(end.address)   "
      + String(repeating: " ", count: 10 - text.utf8.count) + "\(text) \(columns)"
  }

  private static let map: UInt64 = 0xffff_8880_0000_0000
  private static let end: UInt64 = map + 1 << 30
  private static let nothing = String(repeating: " ", count: 30)

  /// A dump of `rule` whose direct map's first GiB is other lines.
  private func dump(_ rule: String, _ file: String, firstGigabyte lines: [String]) throws -> String
  {
    let old = try Fixtures.text(rule, file).split(separator: "\n").map(String.init)
    let inside = old.indices.filter {
      old[$0].hasPrefix("0xffff8880") && old[$0].contains("-0xffff8880")
    }
    let (first, last) = (try #require(inside.first), try #require(inside.last))
    return (old[..<first] + lines + old[(last + 1)...]).joined(separator: "\n") + "\n"
  }

  // MARK: - PT304

  /// The first large page may be split; from there on 16 tables, and more than an eighth of the map.
  @Test(arguments: [
    (32, 64, false), (34, 64, true), (34, 256, false), (36, 256, true),
  ]) func overShattered(_ small: UInt64, _ mapped: UInt64, _ fires: Bool) throws {
    let (split, end) = (Self.map + small << 20, Self.map + mapped << 20)
    let dump = try dump(
      "PT304", "fires.txt",
      firstGigabyte: [
        line(Self.map, split, "    RW                 GLB NX pte"),
        line(split, end, "    RW         PSE     GLB NX pmd"),
        line(end, Self.end, Self.nothing + "pmd"),
      ])
    #expect(try findings(dump) == (fires ? ["PT304 note"] : []))
  }

  // MARK: - PT203

  /// Global pages of the direct map, in runs of so many pages, each after one that is not global.
  private func globalUnderPTI(_ runs: [UInt64]) throws -> [String] {
    var lines: [String] = []
    var at = Self.map
    for pages in runs {
      lines.append(line(at, at + 4096, "    RW                     NX pte"))
      at += 4096
      lines.append(line(at, at + pages << 12, "    RW                 GLB NX pte"))
      at += pages << 12
    }
    let large = (at + 1 << 21) & ~((1 << 21) - 1)
    let end = Self.map + 16 << 20
    lines += [
      line(at, large, "    RW                     NX pte"),
      line(large, end, "    RW         PSE         NX pmd"),
      line(end, Self.end, Self.nothing + "pmd"),
    ]
    return try findings(dump("PT203", "silent.txt", firstGigabyte: lines))
  }

  /// Without a log only what is scattered may be a self-test's: several places, and each a small one.
  @Test func scatteredGlobalPages() throws {
    #expect(try globalUnderPTI([1, 1]) == ["PT203 note"])
    #expect(try globalUnderPTI([1, 511]) == ["PT203 note"])
    #expect(try globalUnderPTI([1]) == ["PT203 error"])
    #expect(try globalUnderPTI([1, 512]) == ["PT203 error"])
  }

  // MARK: - PT105

  /// Since 5.8 all tables get an entry before it is used; before, a fault fills it in.
  @Test(arguments: [("6.12.117", "error"), ("5.8.0", "error"), ("5.7.19", "note")])
  func kernelHalfOutOfSync(_ release: String, _ severity: String) throws {
    let text = try Fixtures.text("PT105", "fires.tables").replacing("6.12.117", with: release)
    let report = Linter.run(try Fixtures.subject(tables: DeclaredTables(text)))
    #expect(report.findings.map { "\($0.rule.id) \($0.severity)" } == ["PT105 \(severity)"])
  }

  // MARK: - PT503

  /// Pages on the processors' own free lists have no type and no references.
  @Test(arguments: [
    ("0xffffffff", true), ("0x1ffffffff", false), ("0xf0000000", true), ("0x1f5000000", true),
    ("0x1f4000000", false),
  ]) func tableInFreeMemory(_ typeAndCount: String, _ fires: Bool) throws {
    // Words 6 of struct page: the type, and the references above it.
    let text = try Fixtures.text("PT503", "fires.tables")
    #expect(text.contains("  78: 0xf0000000\n"))
    let changed = text.replacing("  78: 0xf0000000\n", with: "  78: \(typeAndCount)\n")
    let report = Linter.run(try Fixtures.subject(tables: DeclaredTables(changed)))
    #expect(report.findings.map(\.rule.id) == (fires ? ["PT503"] : []))
  }

  // MARK: - KFENCE

  /// Pages of vmalloc that are taken away and keep G; KFENCE's pool is 2 MiB of them.
  private func takenAway(_ table: String, poolAt start: String) throws -> [UInt64] {
    let subject = try Fixtures.subject(
      tables: DeclaredTables(
        """
        root 0x2000
        symbol _text 0xffffffff80000000
        symbol __kfence_pool 0xffffffff80010000
        table 0x2000
          273: 0x4063
          402: 0x6063
          511: 0xa063
        table 0x4000
          0: 0x5063
        table 0x5000
          0: 0x80000000000001e3
        table 0x6000
          0: 0x7063
        table 0x7000
          0: 0x8063
          1: 0x9063
        \(table)
        table 0xa000
          510: 0xb063
        table 0xb000
          0: 0x1e1
        table 0x10000
          0: \(start)
        """))
    return Linter.run(subject).findings.filter { $0.rule.id == "PT206" }.map(\.start)
  }

  @Test func kfencePoolIsLeftOut() throws {
    let pool: UInt64 = 0xffff_c900_0000_0000
    let none = "table 0x8000\ntable 0x9000\n"
    let last = none.replacing("0x8000\n", with: "0x8000\n  511: 0x800ffffffffff162\n")
    let next = none + "  0: 0x800ffffffffff162\n"
    let both = last + "  0: 0x800ffffffffff162\n"
    let lastPage = pool + 511 << 12
    #expect(try takenAway(last, poolAt: pool.entry) == [])
    #expect(try takenAway(next, poolAt: pool.entry) == [pool + 2 << 20])
    #expect(try takenAway(both, poolAt: (pool + 0x1000).entry) == [])
    // Half in the pool and half after it.
    #expect(try takenAway(both, poolAt: pool.entry) == [lastPage])
    #expect(try takenAway(last, poolAt: (pool + 2 << 20).entry) == [lastPage])
    #expect(try takenAway(last, poolAt: "0x0") == [lastPage])
  }

  // MARK: - Statistics

  /// The test steps over whole entries: the last one counts where it reaches past the end.
  @Test(arguments: [(511, 1), (512, 1), (513, 2), (1024, 2)] as [(UInt64, Int)])
  func statisticsRoundUp(_ pages: UInt64, _ large: Int) throws {
    let subject = try Fixtures.subject(
      tables: DeclaredTables(
        """
        root 0x2000
        table 0x2000
          273: 0x4063
        table 0x4000
          0: 0x5063
        table 0x5000
          0: 0x1e3
          1: 0x2001e3
        """))
    let last = large == 1 ? "ffff888000000000" : "ffff888000200000"
    #expect(
      DirectMapStatistics(subject.kernel, pages: pages).line
        == "4k 0 large \(large) gb 0 x \(large)[ffff888000000000-\(last)] miss 0")
  }

  // MARK: - SMAP

  /// SMAP and SMEP forbid what is mapped: their faults have the present bit.
  @Test(arguments: [
    ("0x0001", true), ("0x0011", true), ("0x0000", false), ("0x0010", false), ("0x0002", false),
  ]) func smapNeedsThePresentBit(_ code: String, _ isNamed: Bool) throws {
    let tables = try DeclaredTables(
      """
      root 0x2000
      table 0x2000
        0: 0x6067
        273: 0x3063
      table 0x3000
        0: 0x80000000000001e3
      table 0x6000
        0: 0x7067
      table 0x7000
        0: 0x8067
      table 0x8000
        1: 0x2067
      """)
    let subject = try Samples.withTemporaryFile { path in
      try tables.image.write(to: path)
      // The root by its address: a process's own.
      return Subject(
        image: try KernelImage(ImageFile.open(path: path)),
        roots: [(id: .root(0x2000), address: 0x2000)])
    }
    let fault = try #require(
      LogReports(
        "BUG: unable to handle page fault for address: 0000000000001000\n"
          + "#PF: error_code(\(code)) - x"
      ).faults.first)
    let explanation = subject.judge(fault).explanation
    #expect(
      (explanation.contains("SMAP") || explanation.contains("SMEP")) == isNamed, "\(explanation)")
  }

  // MARK: - Stamps

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// The lines of a failed self-test with stamps of every month, of years long ago and to come.
  @Test(arguments: months) func stampsOfEachMonth(_ month: String) {
    let lines = [
      "CPA self-test:", "CPA ffff880011345000: bad pte 112000e3", "NOT PASSED. Please report.",
    ]
    let number = Self.months.firstIndex(of: month).map { $0 + 1 } ?? 0
    let digits = number < 10 ? "0\(number)" : "\(number)"
    for stamp in [
      "[Wed \(month) 31 23:59:59 1999] ", "[Thu \(month)  1 00:00:00 2009] ",
      "[Fri \(month)  1 00:00:00 2038] ", "\(month) 31 23:59:59 host kernel: ",
      "\(month)  1 00:00:00 host kernel: ", "2008-\(digits)-28T23:59:59+01:00 host kernel: ",
      "2031-\(digits)-01T00:00:00.123456+00:00 host kernel: ",
    ] {
      let log = lines.map { stamp + $0 }.joined(separator: "\n")
      let runs = SelfTestLog.parse(log)
      #expect(runs.map(\.result) == [.failed], "\(stamp)")
      #expect(runs.flatMap { $0.failures.map(\.address) } == [0xffff_8800_1134_5000], "\(stamp)")
    }
  }

  /// A log whose lines have these times, in seconds since boot.
  private func log(_ seconds: [UInt64]) -> String {
    seconds.map { "[\($0).000001] a line of the kernel's\n" }.joined()
  }

  /// A machine that runs for years: its times tell its log from another's as those of the first day.
  @Test(arguments: [0, 40_000_000, 400_000_000] as [UInt64])
  func timesOfYears(_ since: UInt64) throws {
    var subject = try Fixtures.subject("PT105", "silent")
    subject.log = Fact(log((0..<20).map { since + 100 + 3 * $0 }), "the image's printk ring")
    var other = subject
    #expect(subject.take(log: log((5..<20).map { since + 100 + 3 * $0 }), userRelease: nil) == nil)
    let reason = other.take(log: log((5..<20).map { since + 101 + 3 * $0 }), userRelease: nil)
    #expect(reason?.contains("has 0 of the ") == true)
  }
}
