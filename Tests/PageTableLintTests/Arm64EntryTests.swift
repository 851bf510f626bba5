import PageTableLint
import PageTables
import Testing

/// What an arm64 entry is, by cases from reports, captures and the kernel's headers.
@Suite struct Arm64EntryTests {
  @Test(
    arguments: [
      ("arm64-4k-48", 1, 0, nil, "empty", "nothing is mapped"),
      (
        "arm64-4k-48", 1, 0x0068_0000_4024_1707, "5.19.0", "leaf",
        "a page of 4 KiB at 0x40241000: kernel, writable, no-execute, global, MEM/NORMAL-TAGGED"
      ),
      (
        "arm64-4k-48", 2, 0x0068_0000_4200_0f01, "6.12.1", "leaf",
        "a page of 2 MiB at 0x42000000: kernel, writable, no-execute, not global, MEM/NORMAL"
      ),
      // The same number is plain memory to old kernels and a device's to new ones.
      ("arm64-4k-48", 3, 0x0068_0013_c000_0711, "4.19.191", "leaf", "MEM/NORMAL"),
      ("arm64-4k-48", 3, 0x0068_0013_c000_0711, "6.12.0", "leaf", "DEVICE/nGnRE"),
      (
        "arm64-4k-48", 4, 0x1800_0000_fbff_8003, nil, "table",
        "all below it is not executable by the kernel, not executable by user mode"
      ),
      ("arm64-4k-48", 4, 0x0800_0001_09c4_6003, nil, "table", "not executable by the kernel"),
      (
        "arm64-4k-48", 1, 0x0050_0000_4021_0783, nil, "leaf",
        "executable by the kernel, global, one of"
      ),
      ("arm64-4k-48", 1, 0x00e8_0001_6007_f712, "4.14.1", "unmapped", "its frame is 0x16007f000"),
      ("arm64-4k-48", 1, 0x00e0_0000_4a5c_0f82, "6.12.1", "prot-none", "its frame is 0x4a5c0000"),
      ("arm64-4k-48", 1, 0x04e0_0000_4a5c_0f82, "5.10.1", "prot-none", "its frame is 0x4a5c0000"),
      ("arm64-4k-48", 2, 0x00e0_0000_4a40_0f40, "6.12.1", "invalidated", "splitting or moving"),
      ("arm64-4k-48", 1, 0x0000_0000_1234_5080, "6.12.1", "swap", "type 2, offset 0x12345"),
      ("arm64-4k-48", 1, 0x0000_0000_1234_5008, "5.10.1", "swap", "type 2, offset 0x123450"),
      (
        "arm64-16k-47", 1, 0x17c0, "6.12.1", "marker",
        "a marker without a page (swap entry of type 31"
      ),
      ("arm64-4k-48", 1, 0x0068_0000_4024_1705, nil, "unknown", "this level has none"),
      ("arm64-4k-48", 1, 0x006b_0000_1234_5703, nil, "reserved-bits", "0x3000000000000"),
      ("arm64-4k-52", 1, 0x006b_0000_1234_5703, nil, "leaf", "at 0xf000012345000"),
      ("arm64-64k-52", 1, 0x0068_1234_5678_a703, nil, "leaf", "64 KiB at 0xa123456780000"),
      ("arm64-4k-48", 1, 0xffff_8000_1095_9e00, nil, "address", "a virtual address"),
      ("arm64-4k-48", 2, 0x6b6b_6b6b_6b6b_6b6b, nil, "poison", "POISON_FREE"),
      (
        "arm64-4k-stage2", 1, 0x0040_0001_2345_67ff, nil, "leaf",
        "a guest's page of 4 KiB at 0x123456000: readable, writable, no-execute, MEM/NORMAL"
      ),
      ("arm64-4k-stage2", 2, 0x0000_0001_2340_07fd, nil, "leaf", "readable, writable, executable"),
      (
        "arm64-4k-stage2", 1, 0x0060_0001_2345_677f, nil, "leaf",
        "read-only, executable by the guest's kernel"
      ),
      ("arm64-4k-stage2", 1, 0x0000_0000_0900_06c7, nil, "leaf", "DEVICE/nGnRE"),
    ] as [(String, Int, UInt64, String?, String, String)])
  func readings(
    _ mode: String, _ level: Int, _ entry: UInt64, _ release: String?, _ kind: String,
    _ words: String
  ) throws {
    let format = try #require(TableFormat.named.first { $0.name == mode }).mode()
    let reading = EntryReading(
      entry, level: level, mode: format, context: EntryReading.Context(release: release))
    #expect(reading.kind.rawValue == kind, "\(reading.sentence)")
    #expect(reading.sentence.contains(words), "\(reading.sentence)")
  }

  /// Without a level the likeliest comes first: a pointer has no AF, a page has.
  @Test func levelsThatFit() throws {
    let format = try #require(TableFormat.named.first { $0.name == "arm64-4k-48" }).mode()
    let pointer = EntryCandidates(0x1800_0000_fbff_8003, mode: format).candidates
    #expect(pointer.first?.levels == ["pmd", "pud", "pgd"])
    let page = EntryCandidates(0x0068_0000_4024_1707, mode: format).candidates
    #expect(page.first?.levels == ["pte"] && page.first?.reading.kind == .leaf)
    let block = EntryCandidates(0x0068_0000_4000_0701, mode: format).candidates
    #expect(block.first?.reading.hardware == .leaf(physical: 0x4000_0000, size: 2 << 20))
  }

  @Test func notes() throws {
    let format = try #require(TableFormat.named.first { $0.name == "arm64-4k-48" }).mode()
    let young = EntryReading(0x00a8_0000_4a5c_0b43, level: 1, mode: format)
    #expect(young.notes.contains { $0.contains("AF is clear") })
    let clean = EntryReading(0x00e8_0000_4a5c_0fc3, level: 1, mode: format)
    #expect(clean.notes.contains { $0.contains("writable and clean") })
    #expect(clean.access == .user && clean.memoryType == "MEM/NORMAL")
  }
}
