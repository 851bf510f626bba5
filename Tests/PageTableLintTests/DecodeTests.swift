import Foundation
import KernelImages
import PageTableLint
import PageTables
import Support
import Testing

/// Entries in other tools' text, and readings of entries whose level is not known.
@Suite struct DecodeTests {
  @Test func aKernelsReportIsRead() {
    let text = EntryText(
      """
      > [   27.371098] PGD 5ca01067 P4D 5ca01067 PUD 5ca02067 PMD 5ca03067 PTE 800fffffe5feb062
      BUG: Bad page map in process x  pte:9402e1e2b18c8ae9 pmd:10fe4f067
      mm/pgtable-generic.c:51: bad pmd e7d8e333(8000000433c000c5)
      PTE a sentence has no entry
      """)
    #expect(text.items.map(\.line) == [1, 1, 1, 1, 1, 2, 2, 3])
    #expect(text.items.map(\.name) == ["pgd", "p4d", "pud", "pmd", "pte", "pte", "pmd", "pmd"])
    #expect(text.items[4].entry == 0x800f_ffff_e5fe_b062)
    #expect(text.items[7].entry == 0x8000_0004_33c0_00c5)
    #expect(text.mode == nil || text.mode == .x86_64)
    #expect(text.level(of: text.items[1], in: .x86_64) == 4)
    #expect(text.level(of: text.items[4], in: .x86_64) == 1)
  }

  @Test func olderReportsTellTheirMode() {
    let pae = EntryText("*pdpt = 000000000255d001 *pde = 000000001a332063 *pte = 800fffffe5feb062")
    #expect(pae.mode == .i386PAE)
    #expect(pae.items.map { pae.level(of: $0, in: .i386PAE) } == [3, 2, 1])
    let plain = EntryText("*pde = 01d6c067\n*pte = 00000000")
    #expect(plain.mode == .i386)
    #expect(plain.items.map { plain.level(of: $0, in: .i386) } == [2, 1])
    let five = EntryText("PGD 100000067 P4D 110000067 PUD 0")
    #expect(five.mode == .x86_64FiveLevel)
    #expect(five.items.map { five.level(of: $0, in: .x86_64FiveLevel) } == [5, 4, 3])
  }

  @Test func vtopAndWalksAreRead() {
    let vtop = EntryText(
      """
      VIRTUAL           PHYSICAL
      ffff880008a45000  8a45000

      PML4 DIRECTORY: ffffffff81a0c000
      PAGE DIRECTORY: 1c3c067
         PUD: 1c3c000 => 1c3d067
         PMD: 1c3d228 => 80000000089e3163
         PTE: 89e3228 => 8000000008a45163
        PAGE: 8a45000
      """)
    #expect(vtop.items.map(\.name) == ["pud", "pmd", "pte"])
    #expect(vtop.items.map(\.entry) == [0x1c3d067, 0x8000_0000_089e_3163, 0x8000_0000_08a4_5163])
    let walk = EntryText("  pgd[273] 0x2a10000: 0x2c01067  RW USR\n  pud[0] 0x2c01000: 0x2c02067")
    #expect(walk.items.map(\.name) == ["pgd", "pud"])
    #expect(walk.items.map(\.entry) == [0x2c0_1067, 0x2c0_2067])
  }

  @Test func rangesOfQEMUTellTheAccessAlone() throws {
    let text = EntryText("0000000000400000-0000000000401000 0000000000001000 ur-")
    let item = try #require(text.items.first)
    #expect(item.isAccessOnly && item.address == 0x400000)
    let printed = DecodeReport.text(
      [DecodeReport.Entry(EntryCandidates(item.entry, mode: .x86_64, level: 1), item)],
      style: TextStyle(color: false))
    #expect(printed.contains("user, read-only; QEMU shows neither"))
  }

  /// QEMU walked the tables of these captures; what it prints must be what an entry decodes to.
  @Test(
    arguments: Effort.some(
      of: ["healthy-5level", "healthy", "healthy-pti", "cpa-2008", "faults"], oneIn: 3))
  func everyEntryOfQEMUDecodesToItsFlags(_ sample: String) throws {
    let packed = try Samples.run(["xz", "-dc", Samples.path(sample, "tlb.txt.xz")])
    let lines = String(decoding: packed.output, as: UTF8.self)
    let text = EntryText(lines)
    let printed = lines.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(text.items.count == printed.count && text.items.count > 1000)
    let mode = sample == "healthy-5level" ? TableFormat.x86_64FiveLevel : .x86_64
    for (item, words) in zip(text.items, printed) {
      let level = try #require(text.level(of: item, in: mode))
      let reading = EntryReading(item.entry, level: level, mode: mode)
      let names = [
        ("X", "NX"), ("G", "GLB"), ("P", "PSE"), ("D", "D"), ("A", "A"), ("C", "PCD"),
        ("T", "PWT"), ("U", "USR"), ("W", "RW"),
      ]
      let theirs = Set(names.filter { words[2].contains($0.0) }.map(\.1))
      let mine = Set(reading.flags).intersection(names.map(\.1))
      let frame = try #require(UInt64(words[1], radix: 16))
      guard mine == theirs, reading.physical == frame, reading.kind == .leaf,
        reading.access?.isWritable == words[2].contains("W"),
        reading.access?.isUser == words[2].contains("U"),
        reading.access?.isExecutable != words[2].contains("X")
      else {
        Issue.record("\(words): \(reading)")
        return
      }
    }
  }

  @Test func theLikeliestReadingComesFirst() throws {
    func first(_ entry: UInt64) -> EntryCandidates.Candidate? {
      EntryCandidates(entry).candidates.first
    }
    let large = try #require(first(0x1d40_00e3))
    #expect(large.levels == ["pmd"] && large.reading.kind == .leaf)
    let pointer = try #require(first(0x240_c067))
    #expect(pointer.levels == ["pmd", "pud", "pgd"] && pointer.reading.kind == .table)
    let page = try #require(first(0x8000_0004_21a5_3163))
    #expect(page.levels == ["pte"] && page.reading.kind == .leaf)
    let hidden = try #require(first(0x800f_ffff_e5fe_b062))
    #expect(hidden.levels.contains("pte") && hidden.reading.kind == .unmapped)
    #expect(EntryCandidates(0).candidates.count == 1)
    // 32 bits may be a 4M page of two levels.
    #expect(EntryCandidates(0x1d40_00e3).candidates.contains { $0.reading.pageSize == 4 << 20 })
  }

  // MARK: - The command

  private func decode(_ arguments: [String], input: String = "") throws -> (Int32, String) {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    return try Samples.withTemporaryFile { path in
      try Data(input.utf8).write(to: URL(filePath: path))
      let result = try Samples.run(
        ["sh", "-c", "input=$1; shift; exec \"$0\" decode \"$@\" < \"$input\"", program, path]
          + arguments)
      return (result.status, String(decoding: result.output, as: UTF8.self))
    }
  }

  @Test func theCommandSpellsOut() throws {
    let one = try decode(["--level", "pte", "--mode", "i386-pae", "800fffffe5feb062"])
    #expect(one.0 == 0 && one.1.contains("its frame is 0x1a014000, stored inverted against L1TF"))
    let text = try decode(["-"], input: "PGD 240c067 P4D 240c067 PUD 0\n")
    #expect(text.0 == 0 && text.1.contains("line 1: pud 0x0\n  pud: empty"))
    for (arguments, words) in [
      (["xyz"], "is not an entry"), (["--level", "pxd", "1"], "has no level pxd"),
      (["--mode", "z80", "1"], "no paging mode"), (["-"], "no line with entries"),
      (["--mode", "i386", "100000000"], "more than the 32 bits"),
    ] {
      let wrong = try decode(arguments)
      #expect(wrong.0 == 2 && wrong.1.contains(words), "\(arguments): \(wrong.1)")
    }
  }

  @Test func theJSONIsValid() throws {
    let text = """
      PGD 240c067 P4D 240c067 PUD 240e067 PMD 2e2e2e2e2e205d31 PTE 800fffffe5feb062
      0000000000400000: 0000000003441000 X---A--U-
      0000000000400000-0000000000401000 0000000000001000 ur-
      """
    let swap = "8fffffffffdb9600"
    let documents = try [
      decode(["--format", "json", "-"], input: text),
      decode(["--format", "json", "--release", "6.12.1", swap, "1d4000e3", "0", "3ffff0e3"]),
    ]
    for document in documents { #expect(document.0 == 0) }
    let verdicts = try SchemaTests().validate(documents.map { Data($0.1.utf8) }, "decode")
    #expect(verdicts == ["valid", "valid"])
    let changed = documents[1].1.replacing("\"leaf\"", with: "\"leave\"")
    #expect(try SchemaTests().validate([Data(changed.utf8)], "decode") != ["valid"])
  }
}
