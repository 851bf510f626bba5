import PageTables
import Testing

@Suite struct Arm64FormatTests {
  private static func mode(_ name: String) throws -> TableFormat {
    try #require(TableFormat.named.first { $0.name == name }).mode()
  }

  /// Entries by level, the root's last; sources: arch/arm64/Kconfig and pgtable-hwdef.h, 6.12.
  @Test(arguments: [
    ("arm64-4k-39", [12, 21, 30], 512, 4096), ("arm64-4k-48", [12, 21, 30, 39], 512, 4096),
    ("arm64-4k-52", [12, 21, 30, 39, 48], 16, 128), ("arm64-16k-36", [14, 25], 2048, 16384),
    ("arm64-16k-47", [14, 25, 36], 2048, 16384), ("arm64-16k-48", [14, 25, 36, 47], 2, 64),
    ("arm64-16k-52", [14, 25, 36, 47], 32, 256), ("arm64-64k-42", [16, 29], 8192, 65536),
    ("arm64-64k-48", [16, 29, 42], 64, 512), ("arm64-64k-52", [16, 29, 42], 1024, 8192),
  ])
  func geometry(_ name: String, _ shifts: [Int], _ entries: Int, _ alignment: UInt64) throws {
    let mode = try Self.mode(name)
    #expect(mode.levels.map(\.shift) == shifts)
    #expect(mode.root.entries == entries)
    #expect(mode.rootAlignment == alignment)
    #expect(mode.levels.dropLast().allSatisfy { $0.entries * 8 == Int(mode.granule) })
    let bits = try #require(Int(name.split(separator: "-")[2]))
    #expect(mode.addressBits == bits)
    #expect(mode.upperHalf == ~0 << UInt64(bits))
    #expect(mode.bottom == mode.upperHalf && mode.top == ~0)
    #expect(mode.isCanonical(mode.upperHalf) && !mode.isCanonical(mode.upperHalf - 1))
    #expect(mode.arm64Lower.bottom == 0 && mode.arm64Lower.top == ~mode.upperHalf)
    #expect(mode.root.holeName == "pgd" && mode.level(1).name == "pte")
  }

  /// What kernels printed in reports, and their names of the bits.
  @Test(
    arguments: [
      (0x0068_0000_4024_1707, 1, 0x4024_1000, .write, ["V", "RW", "NX", "SHD", "AF", "UXN"]),
      (0x0068_0000_4200_0f01, 2, 0x4200_0000, .write, ["V", "RW", "NX", "SHD", "AF", "NG", "BLK"]),
      (0x0060_0000_84d7_6787, 1, 0x84d7_6000, [], ["V", "NX", "SHD", "AF", "UXN"]),
      (0x00e8_0057_5140_f713, 1, 0x57_5140_f000, .write, ["V", "RW", "NX", "SHD", "AF", "UXN"]),
      (0x0040_0000_4021_0783, 1, 0x4021_0000, .executeInKernel, ["V", "SHD", "AF", "UXN"]),
      (
        0x00e0_0000_4a5c_0fc3, 1, 0x4a5c_0000, .user,
        ["V", "USR", "NX", "SHD", "AF", "NG", "UXN"]
      ),
    ] as [(UInt64, Int, UInt64, Access, [String])])
  func leaves(_ entry: UInt64, _ level: Int, _ frame: UInt64, _ access: Access, _ names: [String])
    throws
  {
    let mode = try Self.mode("arm64-4k-48")
    #expect(mode.classify(entry, level: level) == .leaf)
    #expect(mode.level(level).leafField.address(in: entry) == frame)
    #expect(mode.access(entry, at: mode.level(level)) == access)
    let found = mode.names(entry, level: level)
    #expect(names.allSatisfy(found.contains), "\(found)")
    #expect(mode.isGlobal(entry) == !names.contains("NG"))
    #expect(entry & mode.level(level).reservedInLeaf == 0)
  }

  /// 01 is a block, where blocks may be; bit 0 clear is none, whatever else there is.
  @Test(
    arguments: [
      ("arm64-4k-48", 0x741, 1, .invalid), ("arm64-4k-48", 0x743, 1, .leaf),
      ("arm64-4k-48", 0x4000_0741, 3, .leaf), ("arm64-4k-48", 0x4000_0741, 4, .invalid),
      ("arm64-4k-52", 0x4000_0741, 4, .leaf), ("arm64-4k-52", 0x741, 5, .invalid),
      ("arm64-16k-47", 0x741, 2, .leaf), ("arm64-16k-47", 0x741, 3, .invalid),
      ("arm64-16k-52", 0x741, 3, .leaf), ("arm64-64k-48", 0x741, 3, .invalid),
      ("arm64-64k-52", 0x741, 3, .leaf), ("arm64-64k-42", 0x741, 2, .leaf),
      ("arm64-4k-48", 0x00e8_0001_6007_f712, 1, .invalid), ("arm64-4k-48", 0x742, 2, .invalid),
      ("arm64-4k-48", 0x1800_0000_fbff_8003, 4, .table),
    ] as [(String, UInt64, Int, EntryClass)])
  func classes(_ name: String, _ entry: UInt64, _ level: Int, _ kind: EntryClass) throws {
    #expect(try Self.mode(name).classify(entry, level: level) == kind)
  }

  /// LPA has bits 51 to 48 in bits 15 to 12, LPA2 bits 51 and 50 in bits 9 and 8.
  @Test func addressesOf52Bits() throws {
    let (wide, lpa2, plain) = (
      try Self.mode("arm64-64k-52"), try Self.mode("arm64-4k-52"), try Self.mode("arm64-4k-48")
    )
    #expect(wide.level(1).leafField.address(in: 0x0068_1234_5678_a703) == 0x000a_1234_5678_0000)
    #expect(wide.tableField.entry(for: 0x000a_1234_5678_0000) == 0x1234_5678_a000)
    #expect(lpa2.level(1).leafField.address(in: 0x006b_0000_1234_5703) == 0x000f_0000_1234_5000)
    #expect(lpa2.level(2).leafField.address(in: 0x006b_0000_1220_0701) == 0x000f_0000_1220_0000)
    #expect(plain.level(1).leafField.address(in: 0x006b_0000_1234_5703) == 0x0000_0000_1234_5000)
    // There they mean nothing, and Linux sets none.
    #expect(plain.level(1).reservedInLeaf == 3 << 48 && lpa2.level(1).reservedInLeaf == 0)
    #expect(wide.level(2).reservedInLeaf == 3 << 48 | 0x1fff_0000)
    // No shareability under LPA2.
    #expect(!lpa2.names(0x703, level: 1).contains("SHD"))
    #expect(plain.names(0x703, level: 1).contains("SHD"))
  }

  /// A walk of both halves: what upper levels take, an alike run, a block, a remnant.
  @Test func walk() throws {
    let mode = try Self.mode("arm64-16k-47")
    let (root, middle, low, user) =
      (
        0x10_0000, 0x10_4000, 0x10_8000, 0x20_0000
      ) as (UInt64, UInt64, UInt64, UInt64)
    let page: UInt64 = 0x0068_0000_0000_0703
    let memory = DeclaredMemory(tables: [
      // Nothing below the second is executable, and nothing below the third writable.
      root: [0: middle | 3, 1: 3 << 59 | middle | 3, 2: 1 << 62 | middle | 3],
      middle: [0: low | 3, 1: 0x0040_0000_4200_0701],
      low: [
        0: page | 0x800_0000, 1: page | 0x800_4000, 2: page & ~(1 << 53) | 0x800_8000,
        3: 0x00e8_0001_6007_c712,
      ],
      user: [0: 1 << 61 | middle | 3],
    ])
    let space = Walker.walk(root: root, mode: mode, memory: memory)
    let start: UInt64 = 0xffff_8000_0000_0000
    let first = space.runs(from: start, through: start + 1 << 36 - 1)
    #expect(first.map(\.kind) == [.leaf, .leaf, .notPresent, .hole, .leaf, .hole])
    #expect(
      first.filter(\.isLeaf).map(\.physical) == [0x800_0000, 0x800_8000, 0x4200_0000])
    #expect(first.filter(\.isLeaf).map(\.size) == [0x8000, 0x4000, 32 << 20])
    #expect(
      first.filter(\.isLeaf).map(\.access) == [
        .write, [.write, .executeInKernel], [.write, .executeInKernel],
      ])
    let second = space.runs(from: start + 1 << 36, through: start + 2 << 36 - 1)
    #expect(second.filter(\.isLeaf).map(\.access) == [.write, .write, .write])
    let third = space.runs(from: start + 2 << 36, through: start + 3 << 36 - 1)
    #expect(third.filter(\.isLeaf).map(\.access) == [[], .executeInKernel, .executeInKernel])
    #expect(space.runs.last?.last == ~0 && space.anomalies.isEmpty)
    #expect(mode.walk(start + 0x8123, root: root, memory: memory).physical == 0x800_8123)
    // A process's root maps from zero on.
    let lower = Walker.walk(root: user, mode: mode.arm64Lower, memory: memory)
    #expect(lower.runs.first?.start == 0 && lower.runs.last?.last == 1 << 47 - 1)
    #expect(lower.runs.first?.physical == 0x800_0000)
    #expect(mode.arm64Lower.walk(0x4123, root: user, memory: memory).physical == 0x800_4123)
  }

  /// A root of 16 entries that starts inside a page.
  @Test func rootOfLessThanAPage() throws {
    let mode = try Self.mode("arm64-4k-52")
    let memory = DeclaredMemory(tables: [
      0x4024_e680: [15: 0x1000_0000_0005_0003], 0x5_0000: [0: 0x5_1003],
      0x5_1000: [1: 0x0068_0300_4000_0701],
    ])
    let result = mode.walk(0xffff_0000_4012_3456, root: 0x4024_e680, memory: memory)
    #expect(result.physical == 0x000c_0300_4012_3456)
    #expect(result.steps.map(\.index) == [15, 0, 1])
    #expect(result.steps.last?.access == .write)
  }

  @Test func contiguousGroups() throws {
    let counts = try ["arm64-4k-48", "arm64-16k-47", "arm64-64k-48"].map { name in
      let mode = try Self.mode(name)
      return (1...3).map { mode.arm64ContiguousEntries(level: $0) }
    }
    #expect(counts == [[16, 16, 0], [128, 32, 0], [32, 32, 0]])
  }

  /// Index 4 is plain memory to 4.19, a device since 5.10.
  @Test func memoryTypesByRelease() {
    let types = TableFormat.Arm64MemoryOrder.allCases.map { order in
      let mode = TableFormat.arm64(.fourK, bits: 48, order: order)
      return (0..<8).map { mode.memoryType(of: $0 << 2, level: 1) }
    }
    let devices = [MemoryType?](repeating: .uncached, count: 3)
    #expect(
      types[0] == devices + [.writeCombining, .writeBack, .writeThrough, .uncached, .uncached])
    #expect(
      types[1] == [.writeBack, .writeBack, .writeCombining, .writeThrough, .uncached] + devices)
    #expect(types[2] == [.writeBack, .writeBack, .writeCombining, .uncached, .uncached] + devices)
    let old = TableFormat.arm64(.fourK, bits: 48, order: .devicesFirst)
    #expect(old.names(0x0068_0013_c000_0711, level: 3).contains("MEM/NORMAL"))
  }
}
