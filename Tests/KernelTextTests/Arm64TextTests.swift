import KernelText
import PageTables
import Testing

/// Tables declared entry by entry; what is not declared is empty.
private struct DeclaredMemory: PhysicalMemory {
  let tables: [UInt64: [Int: UInt64]]

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    guard let declared = tables[address] else { throw .notInImage }
    for index in table.indices { table[index] = declared[index] ?? 0 }
  }
}

@Suite struct Arm64TextTests {
  private static let start: UInt64 = 0xffff_0000_0000_0000
  private static let mode = TableFormat.arm64(.fourK, bits: 48)

  /// Two pages and a remnant that are alike but for a bit that the dumper does not look at, a block,
  /// a group; nothing else.
  private static let memory = DeclaredMemory(tables: [
    0x1000: [0: 0x2003, 256: 0x4003], 0x2000: [0: 0x3003],
    0x3000: [0: 0x5003, 1: 0x0068_0000_4020_0701, 3: 0x00c8_0000_4060_0f00],
    0x5000: [
      0: 0x0068_0000_4000_0707, 1: 0x00e8_0000_4000_1707, 2: 0x00e8_0000_4000_2706,
      16: 0x0070_0000_4001_0783, 17: 0x0070_0000_4001_1783,
    ],
    0x4000: [0: 0x6003], 0x6000: [0: 0x7003], 0x7000: [0: 0x0068_0000_0900_0713],
  ])

  private func space(_ mode: TableFormat = mode) -> AddressSpace {
    Walker.walk(root: 0x1000, mode: mode, memory: Self.memory)
  }

  private func text(
    _ release: String?, markers: [AddressMarker] = [], mode: TableFormat = mode
  ) -> String {
    let text = KernelText(
      showing: space(mode), markers: markers, dialect: .arm64(release: release))
    return String(decoding: text.bytes, as: UTF8.self)
  }

  private static let markers: [AddressMarker] = [
    AddressMarker(start: start, name: "Linear Mapping start"),
    AddressMarker(start: start + 1 << 47, name: "Linear Mapping end"),
    AddressMarker(start: start + 1 << 47, name: "Modules start"),
    AddressMarker(start: start + 1 << 47 + 1 << 31, name: "Modules end"),
  ]

  /// Two markers of one place follow each other; what no marker has follows the last.
  @Test func newestText() {
    #expect(
      text("6.12.117", markers: Self.markers) == """
        ---[ Linear Mapping start ]---
        0xffff000000000000-0xffff000000002000           8K PTE       RW NX SHD AF            UXN    MEM/NORMAL-TAGGED
        0xffff000000002000-0xffff000000003000           4K PTE F     RW NX SHD AF            UXN    MEM/NORMAL-TAGGED
        0xffff000000003000-0xffff000000010000          52K PTE
        0xffff000000010000-0xffff000000012000           8K PTE       ro NX SHD AF    CON     UXN    MEM/NORMAL
        0xffff000000012000-0xffff000000200000        1976K PTE
        0xffff000000200000-0xffff000000400000           2M PMD       RW NX SHD AF        BLK UXN    MEM/NORMAL
        0xffff000000400000-0xffff000000600000           2M PMD
        0xffff000000600000-0xffff000000800000           2M PMD F     RW x  SHD AF NG     BLK UXN    MEM/NORMAL
        0xffff000000800000-0xffff000040000000        1016M PMD
        0xffff000040000000-0xffff008000000000         511G PUD
        0xffff008000000000-0xffff800000000000      130560G PGD
        ---[ Linear Mapping end ]---
        ---[ Modules start ]---
        0xffff800000000000-0xffff800000001000           4K PTE       RW NX SHD AF            UXN    DEVICE/nGnRE
        0xffff800000001000-0xffff800000200000        2044K PTE
        0xffff800000200000-0xffff800040000000        1022M PMD
        0xffff800040000000-0xffff800080000000           1G PUD
        ---[ Modules end ]---
        0xffff800080000000-0xffff808000000000         510G PUD
        0xffff808000000000-0x0000000000000000      130560G PGD

        """)
  }

  /// What releases differ in: BLK of what does not count, such entries above pages, GP, the order of
  /// types, holes.
  @Test func releases() throws {
    func line(_ release: String, _ start: String) -> String? {
      text(release).split(separator: "\n").first { $0.hasPrefix("0x\(start)-") }.map(String.init)
    }
    let remnant = "ffff000000600000"
    #expect(
      line("6.15.0", remnant)?.hasSuffix("F     RW x  SHD AF NG         UXN    MEM/NORMAL") == true)
    // It was no leaf to them: it vanishes in the holes about it.
    #expect(line("6.6.0", remnant) == nil)
    #expect(line("6.6.0", "ffff000000400000")?.hasSuffix("1020M PMD") == true)
    #expect(line("5.4.0", "ffff000000400000") == nil)
    #expect(
      line("5.4.0", "ffff000000200000")
        == "0xffff000000200000-0xffff000000400000           2M PMD       RW NX SHD AF        BLK UXN DEVICE/nGnRnE"
    )
    #expect(
      line("5.10.0", "ffff000000200000")
        == "0xffff000000200000-0xffff000000400000           2M PMD       RW NX SHD AF        BLK UXN    MEM/NORMAL"
    )
  }

  /// A half without a kernel ends where its tables do, and before 6.12 at zero.
  @Test func lowerHalf() {
    let mode = Self.mode.arm64Lower
    #expect(
      text("6.12.117", mode: mode).split(separator: "\n").last
        == "0x0000808000000000-0x0001000000000000      130560G PGD")
    #expect(
      text("6.1.0", mode: mode).split(separator: "\n").last
        == "0x0000808000000000-0x0000000000000000   17179737600G PGD")
  }

  @Test(arguments: ["6.12.117", "6.18.0", "6.6.0", "5.10.0", "5.4.0", "4.14.0"])
  func readsBack(release: String) {
    let markers =
      Self.markers
      + [AddressMarker(start: Self.start + 1 << 47 + 1 << 31, name: "vmalloc() area")]
    let shown = KernelText(showing: space(), markers: markers, dialect: .arm64(release: release))
    let read = KernelText.parse(shown.bytes.span)
    #expect(
      String(decoding: read.bytes, as: UTF8.self) == String(decoding: shown.bytes, as: UTF8.self))
    #expect(read.space.mode == Self.mode)
    #expect(read.space.anomalies.isEmpty)
    #expect(read.space.runs.map(\.kind) == shown.space.runs.map(\.kind))
    #expect(read.space.runs.map(\.access) == shown.space.runs.map(\.access))
    #expect(read.markers.map(\.name) == markers.map(\.name))
    let known = read.space.runs.first { $0.isLeaf }
    #expect(known?.access == .write)
    #expect(read.space.knownFlags & 1 << 11 != 0 && read.space.knownFlags & 1 << 51 == 0)
  }

  /// The mode by the lines' steps, names and first address.
  @Test(arguments: TableFormat.arm64Formats)
  func modes(mode: TableFormat) {
    let granule = mode.granule
    let top = mode.upperHalf
    let page: UInt64 = 0x0068_0000_0000_0707
    // A page in the first table of each level, and holes of all others.
    var tables: [UInt64: [Int: UInt64]] = [:]
    for level in 1...mode.levels.count {
      let entry = level == 1 ? page : UInt64(level - 1) * granule | 3
      tables[UInt64(level) * granule] = [0: entry]
    }
    let root = UInt64(mode.levels.count) * granule
    let memory = DeclaredMemory(tables: tables)
    for (half, first) in [(mode, top), (mode.arm64Lower, 0)] {
      let space = Walker.walk(root: root, mode: half, memory: memory)
      #expect(space.runs.first?.start == first)
      let shown = KernelText(showing: space, markers: [], dialect: .arm64())
      let read = KernelText.parse(shown.bytes.span)
      #expect(read.space.mode == half, "\(read.space.mode.name)")
      #expect(read.bytes == shown.bytes)
      #expect(read.space.anomalies.isEmpty)
    }
  }

  /// As 4.11 to 4.20 print it, without `0x` and holes; and a text of EFI's tables with 64K.
  @Test func otherTexts() {
    let bare = """
      ---[ Modules start ]---
      ---[ vmalloc() Area ]---
      ffff000000080000-ffff0000000c0000         256K PTE       ro x  SHD AF            UXN MEM/NORMAL
      ffff0000000c0000-ffff000000200000        1280K PTE       ro NX SHD AF            UXN DEVICE/GRE
      ---[ Linear Mapping ]---
      ffff800000000000-ffff800040000000           1G PUD       RW NX SHD AF NG     BLK UXN MEM/NORMAL

      """
    let read = KernelText.parse(Array(bare.utf8).span)
    #expect(String(decoding: read.bytes, as: UTF8.self) == bare)
    #expect(read.space.mode.name == "arm64 4K 48-bit")
    #expect(read.space.anomalies.isEmpty)
    // Without holes nothing but the markers shows that it is whole.
    let excerpt = bare.split(separator: "\n").dropFirst().joined(separator: "\n")
    #expect(
      KernelText.parse(Array(excerpt.utf8).span).space.anomalies.map(\.kind) == [.truncated])
    #expect(read.space.runs.map(\.access) == [.executeInKernel, [], .write])
    #expect(read.space.mode.memoryType(of: read.space.runs[1]) == .uncached)
    let efi = """
      ---[ UEFI runtime start ]---
      0x0000000000000000-0x00000000e0000000        3584M PMD
      0x00000000e0000000-0x00000000ffff0000      524224K PTE
      0x00000000ffff0000-0x0000000100000000          64K PTE       RW NX SHD AF NG         UXN    MEM/NORMAL
      0x0000000100000000-0x0000000420000000       12800M PMD
      0x0000000420000000-0x000000043dd60000      488832K PTE
      0x000000043ff10000-0x000000043ff20000          64K PTE       RW x  SHD AF NG         UXN    MEM/NORMAL

      """
    let other = KernelText.parse(Array(efi.utf8).span)
    #expect(other.space.mode.granule == 65536 && other.space.mode.bottom == 0)
    #expect(other.space.runs.count == 6)
    #expect(other.space.anomalies.map(\.kind) == [.gap, .truncated])
    #expect(other.space.runs.last?.access == [.write, .executeInKernel])
  }

  @Test func othersAreNotTakenForOne() {
    let text = "0xffff000000002000-0xffff000000003000           4K PTE F     RW NX bogus\n"
    let x86 =
      "0xffffffff81000000-0xffffffff82000000          16M     ro         PSE         GLB x  pmd\n"
    let (broken, other) = (Array(text.utf8), Array(x86.utf8))
    let isTaken = KernelText.matches(broken.span)
    #expect(!isTaken)
    let mode = KernelText.parse(other.span).space.mode
    #expect(mode == .x86_64)
  }
}
