import KernelText
import PageTableLint
import PageTables
import Testing

/// Tables of big-endian entries, declared entry by entry; what is not declared is a hole.
private struct BigEndianMemory: PhysicalMemory {
  let tables: [UInt64: [Int: UInt64]]

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    guard let declared = tables[address] else { throw .notInImage }
    for index in table.indices { table[index] = (declared[index] ?? 1).byteSwapped }
  }
}

/// A format that no machine has, unlike x86 in all that a format may say.
///
/// Bit 0 makes an entry invalid. Pages have 16 KiB, and so have tables; addresses stand four bits
/// lower in an entry; each half has a root of its own; entries are big-endian.
@Suite struct MadeUpFormatTests {
  private static let leaf: UInt64 = 1 << 1
  private static let readOnly: UInt64 = 1 << 2
  private static let user: UInt64 = 1 << 3
  private static let noKernelCode: UInt64 = 1 << 4
  private static let noUserCode: UInt64 = 1 << 5
  private static let noKernelCodeBelow: UInt64 = 1 << 6

  private static let format: TableFormat = {
    let frame = AddressField(.init(mask: 0x0000_0fff_ffff_fc00, shift: 4))
    func level(_ number: Int, _ name: String, shift: Int) -> TableFormat.Level {
      TableFormat.Level(
        number: number, name: name, shift: shift, entries: 2048, valid: .clear(1),
        table: number == 1 ? .never : .clear(1 | leaf), hole: BitTest(mask: ~0, value: 1),
        reservedInTable: 1 << 7, leafField: frame)
    }
    return TableFormat(
      name: "made up",
      levels: [level(1, "pte", shift: 14), level(2, "pmd", shift: 25), level(3, "pgd", shift: 36)],
      attributes: [
        Attribute(.set(user), gives: .user, set: "USR", clear: "   "),
        Attribute(.set(readOnly), takes: .write, set: "ro", clear: "RW"),
        Attribute(.set(noKernelCode), takes: .executeInKernel, set: "NX", clear: "x "),
        Attribute(.set(noUserCode), takes: .executeInUser, set: "UXN", clear: "   "),
        Attribute(
          .never, inTable: .set(noKernelCodeBelow), takes: .executeInKernel, set: "NXT",
          printed: false),
      ],
      tableField: frame, entrySize: 8, byteOrder: .big, rootAlignment: 16384,
      halves: .ends(bits: 47), hasOneRoot: false)
  }()

  private static let start: UInt64 = 0xffff_8000_0000_0000
  /// The first address below entry 10 of the root.
  private static let second = start + 10 << 36

  private static let memory = BigEndianMemory(tables: [
    0x4000: [0: 0x800, 10: 0x2000],
    // A large read-only page; two tables side by side, below the second of which no code runs.
    0x8000: [0: 0x200_0000 >> 4 | leaf | readOnly | noKernelCode | noUserCode],
    0x2_0000: [0: 0xc00, 1: 0x1000, 2: 0x1400 | noKernelCodeBelow, 3: 0x1800 | 1 << 7],
    0xc000: Dictionary(
      uniqueKeysWithValues: (0..<4).map { ($0, 0x4000 + UInt64($0) * 0x400 | leaf | noUserCode) }),
    0x1_0000: [5: 0x8000 | leaf | user | readOnly | noKernelCode],
    0x1_4000: [0: 0xa000 | leaf | noUserCode],
  ])

  private var space: AddressSpace {
    Walker.walk(root: 0x4000, mode: Self.format, memory: Self.memory)
  }

  private var grammar: KernelText.Grammar {
    KernelText.Grammar(format: Self.format, dialect: dialect, implied: 0)
  }

  private var dialect: KernelText.Dialect {
    KernelText.Dialect(
      columns: Self.format.attributes.filter(\.printed).map(KernelText.Column.init))
  }

  @Test(
    arguments: [
      (1, 1, EntryClass.invalid), (1, 3, .invalid), (0x4002, 1, .leaf), (0x4000, 1, .leaf),
      (0x4002, 2, .leaf), (0x4000, 2, .table), (0x4003, 2, .invalid),
    ] as [(UInt64, Int, EntryClass)])
  func classes(entry: UInt64, level: Int, kind: EntryClass) {
    #expect(Self.format.classify(entry, level: level) == kind)
  }

  @Test func walk() {
    let space = space
    let found = space.runs.filter(\.isLeaf)
    let pages = Self.second + 5 << 14 + 1 << 25
    #expect(found.map(\.start) == [Self.start, Self.second, pages, Self.second + 2 << 25])
    #expect(found.map(\.size) == [32 << 20, 64 << 10, 16 << 10, 16 << 10])
    #expect(found.map(\.physical) == [0x200_0000, 0x4_0000, 0x8_0000, 0xa_0000])
    #expect(
      found.map(\.access) == [
        [], [.write, .executeInKernel], [.user, .executeInUser], [.write],
      ])
    #expect(space.runs.first?.start == Self.start)
    #expect(space.runs.last?.last == ~0)
    #expect(zip(space.runs, space.runs.dropFirst()).allSatisfy { $0.last &+ 1 == $1.start })
    #expect(space.anomalies.map(\.kind) == [.reservedBits(1 << 7)])
    #expect(space.tablesRead == 6)
    #expect(
      space.pointers.targets(Self.format) == [
        0x8000...0xbfff, 0xc000...0x1_3fff, 0x1_4000...0x1_7fff, 0x2_0000...0x2_3fff,
      ])
  }

  @Test func walkOfOneAddress() {
    let format = Self.format
    let result = format.walk(Self.second + 0x8123, root: 0x4000, memory: Self.memory)
    #expect(result.physical == 0x4_8123)
    #expect(result.steps.map(\.table) == [0x4000, 0x2_0000, 0xc000])
    #expect(result.steps.last?.access == [.write, .executeInKernel])
    let first = format.firstLeaf(
      from: Self.start + 1 << 36, through: ~0, root: 0x4000, memory: Self.memory)
    #expect(first?.address == Self.second)
    #expect(first?.physical == 0x4_0000)
  }

  @Test func dumpReadsBack() {
    let shown = KernelText(showing: space, markers: [], dialect: dialect, grammar: grammar)
    let lines = String(decoding: shown.bytes, as: UTF8.self).split(separator: "\n")
    #expect(
      lines.first == "0xffff800000000000-0xffff800002000000          32M     ro NX UXN pmd")
    #expect(
      lines.contains("0xffff80a000000000-0xffff80a000010000          64K     RW x  UXN pte"))
    let read = KernelText.parse(shown.bytes.span, grammar: grammar)
    #expect(read.bytes == shown.bytes)
    #expect(read.space.runs.map(\.access) == shown.space.runs.map(\.access))
    #expect(read.space.mode == Self.format)
  }

  @Test func neutralRulesJudge() throws {
    let shown = KernelText(showing: space, markers: [], dialect: dialect, grammar: grammar)
    let read = KernelText.parse(shown.bytes.span, grammar: grammar)
    let rules = ["PT001", "PT101"].compactMap { Rule.named($0) }
    let report = Linter.run(try Subject(text: read, path: "made up"), rules: rules)
    #expect(report.skipped.isEmpty)
    #expect(report.findings.map(\.rule.id) == ["PT001", "PT101"])
    #expect(report.findings.first?.extents.first?.lowerBound == Self.second)
  }
}
