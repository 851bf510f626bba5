import PageTableLint
import PageTables
import Support
import Testing

/// `--filter` over the mappings of a real kernel, against the same by hand.
@Suite struct FilterTests {
  private static let subject = Result {
    Subject(image: try Samples.image("cpa-2008"))
  }

  private func matching(_ text: String) throws -> [Run] {
    try MappingFilter(text).runs(of: Self.subject.get().kernel)
  }

  private func expect(
    _ text: String, _ isWanted: (Run, Area, TableFormat) -> Bool,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let table = try Self.subject.get().kernel
    let wanted = table.space.runs.filter {
      isWanted($0, table.layout.area(of: $0.start), table.space.mode)
    }
    #expect(!wanted.isEmpty, sourceLocation: sourceLocation)
    #expect(wanted.count < table.space.runs.count, sourceLocation: sourceLocation)
    #expect(try matching(text) == wanted, sourceLocation: sourceLocation)
  }

  @Test func attributes() throws {
    try expect("w & x") { run, _, _ in
      run.isLeaf && run.access.isWritable && run.access.isExecutable
    }
    try expect("!global & present") { run, _, mode in run.isLeaf && run.flags & mode.global == 0 }
    try expect("ro|nx") { run, _, _ in
      run.isLeaf && (!run.access.isWritable || !run.access.isExecutable)
    }
    try expect("hole") { run, _, _ in run.kind == .hole }
    try expect("D") { run, _, _ in run.kind != .hole && run.flags & 1 << 6 != 0 }
  }

  @Test func comparisons() throws {
    try expect("size >= 2M") { run, _, _ in run.size >= 2 << 20 }
    try expect("pagesize = 2M") { run, _, _ in run.isLeaf && run.level == 2 }
    try expect("area = \"direct map\"") { _, area, _ in area.kind == .directMap }
    try expect("area != 'direct map' & present") { run, area, _ in
      run.isLeaf && area.kind != .directMap
    }
    try expect("level = pmd") { run, _, _ in run.level == 2 }
    try expect("physical < 0x100000") { run, _, _ in run.physical.map { $0 < 1 << 20 } ?? false }
    try expect("address >= 0xffffffff80000000") { run, _, _ in run.start >= 0xffff_ffff_8000_0000 }
  }

  /// `&` binds closer than `|`; brackets and doubled signs are taken.
  @Test func precedence() throws {
    #expect(try matching("hole | w & x") == matching("hole || (w && x)"))
    #expect(try matching("(hole | w) & x") != matching("hole | w & x"))
    #expect(try matching("!!x") == matching("x"))
    #expect(try matching("!(w & x)") == matching("!w | !x"))
  }

  /// An error names the place, counted from 1.
  @Test(arguments: [
    ("", 1), ("w &", 4), ("w & zz", 5), ("(w", 3), ("w x", 3), ("size >= many", 9),
    ("area > 'x'", 1), ("area = 'x", 8), ("w)", 2), ("colour = 1", 1), ("&", 1),
  ])
  func errorsNameThePlace(_ text: String, _ place: Int) {
    let error = #expect(throws: UsageError.self) { try MappingFilter(text) }
    #expect(error?.description.contains("at character \(place) of") == true, "\(error as Any)")
  }

  /// A deep expression is refused, not followed.
  @Test func deepExpressionsAreRefused() {
    for deep in [String(repeating: "(", count: 100_000), String(repeating: "!", count: 100_000)] {
      #expect(throws: UsageError.self) { try MappingFilter(deep) }
    }
  }
}
