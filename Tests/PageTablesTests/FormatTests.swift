import PageTables
import Testing

@Suite struct FormatTests {
  @Test(
    arguments: [
      (0, 1, EntryClass.invalid), (0x63, 1, .leaf), (0x62, 1, .invalid), (0xe3, 1, .leaf),
      (0x63, 2, .table), (0xe3, 2, .leaf), (0xe2, 2, .invalid), (0xe3, 3, .leaf),
      (0xe3, 4, .table), (0x63, 4, .table),
    ] as [(UInt64, Int, EntryClass)])
  func classesOfX86(entry: UInt64, level: Int, kind: EntryClass) {
    #expect(TableFormat.x86_64.classify(entry, level: level) == kind)
  }

  @Test func accessOfX86() {
    let mode = TableFormat.x86_64
    let all = mode.access(0x67, at: mode.level(1))
    #expect(all == .all)
    #expect(mode.access(0x63, at: mode.level(1)) == [.write, .executeInKernel])
    #expect(mode.access(1 << 63 | 0x67, at: mode.level(1)) == [.write, .user])
    #expect(
      mode.access(0x67, at: mode.level(1), below: mode.access(0x61, at: mode.level(2)))
        == [.executeInKernel])
    // PAE's top level has no bits for RW and US.
    let pae = TableFormat.i386PAE
    #expect(pae.access(0x1001, at: pae.root) == .all)
  }

  /// What is asked of a leaf without a bit of its own.
  @Test func attributesOfX86() {
    let mode = TableFormat.x86_64
    #expect(mode.isGlobal(0x163) && !mode.isGlobal(0x63))
    #expect(mode.forbidsExecution && TableFormat.i386PAE.forbidsExecution)
    #expect(!TableFormat.i386.forbidsExecution)
    // PAT is bit 12 of a large page, bit 7 of a small one; PSE is a large page's alone.
    #expect(mode.asPage(0x10e3, level: 2) == 0xe3)
    #expect(mode.asPage(0xe3, level: 2) == 0x63)
    #expect(mode.asPage(0xe3, level: 1) == 0xe3)
  }

  @Test func addressesInSeveralParts() {
    // LPA2: bits 49 to 12 in place, 51 and 50 in bits 9 and 8.
    let split = AddressField(
      .init(mask: 0x0003_ffff_ffff_f000), .init(mask: 0x300, shift: 42))
    #expect(split.address(in: 0x0003_0000_0000_1303) == 0x000f_0000_0000_1000)
    #expect(split.entry(for: 0x000f_0000_0000_1000) == 0x0003_0000_0000_1300)
    // RISC-V: the frame is two bits lower in the entry.
    let shifted = AddressField(.init(mask: 0x003f_ffff_ffff_fc00, shift: 2))
    #expect(shifted.address(in: 0x2000_00ef) == 0x8000_0000)
    #expect(shifted.step(4096) == 0x400)
  }

  @Test func addressesOfEachSpace() {
    let mode = TableFormat.x86_64
    #expect(mode.canonical(1 << 47) == 0xffff_8000_0000_0000)
    #expect(!mode.isCanonical(1 << 47))
    #expect(mode.top == ~0)
    #expect(mode.upperHalf == 0xffff_8000_0000_0000)
    #expect(mode.text(0x1000) == "0x0000000000001000")
    let pae = TableFormat.i386PAE
    #expect(pae.canonical(0xffff_f000) == 0xffff_f000)
    #expect(pae.top == 0xffff_ffff)
    #expect(pae.text(1 << 32) == "0x00000000")
  }
}
