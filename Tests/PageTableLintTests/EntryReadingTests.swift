import Foundation
import PageTableLint
import PageTables
import Support
import Testing

/// What an entry is, by cases from real reports and from the kernel's headers.
@Suite struct EntryReadingTests {
  struct Case: CustomTestStringConvertible {
    let entry: UInt64
    let level: Int
    let mode: TableFormat
    var release: String?
    var bits: Int?
    let kind: EntryReading.Kind
    var physical: UInt64?
    /// A part of the sentence.
    let words: String

    init(
      _ entry: UInt64, level: Int = 1, mode: TableFormat = .x86_64, release: String? = nil,
      bits: Int? = nil, is kind: EntryReading.Kind, at physical: UInt64? = nil, says words: String
    ) {
      (self.entry, self.level, self.mode) = (entry, level, mode)
      (self.release, self.bits, self.kind) = (release, bits, kind)
      (self.physical, self.words) = (physical, words)
    }

    var testDescription: String { "\(entry.entry) \(kind.rawValue)" }
  }

  static let cases: [Case] = [
    Case(0, is: .empty, says: "empty"),
    Case(0x60, is: .empty, says: "Knights Landing"),
    // The self-test's entry of 2008: a 2M page without G.
    Case(
      0x1d40_00e3, level: 2, is: .leaf, at: 0x1d40_0000,
      says: "a page of 2 MiB at 0x1d400000: kernel, writable, executable"),
    Case(
      0x240c067, level: 4, is: .table, at: 0x240_c000, says: "a pointer to the table at 0x240c000"),
    Case(0x8000_0004_21a5_3063, is: .leaf, at: 0x4_21a5_3000, says: "no-execute"),
    Case(0x1_4000_0073, is: .leaf, at: 0x1_4000_0000, says: "UC-"),
    // DEBUG_PAGEALLOC on i386, 6.5: direct map address 0xda0147c8.
    Case(
      0x800f_ffff_e5fe_b062, level: 1, mode: .i386PAE, is: .unmapped, at: 0x1a01_4000,
      says: "inverted against L1TF"),
    Case(0x800f_ffff_e5fe_b062, is: .unmapped, at: 0x1a01_4000, says: "unmapped on purpose"),
    Case(0x000f_ffff_ffff_f120, is: .protNone, at: 0, says: "placeholder"),
    Case(0x8000_0001_2345_6120, is: .protNone, at: 0x1_2345_6000, says: "not inverted"),
    // KFENCE and set_memory_np leave RW, D and G.
    Case(0x800f_fffe_dcba_9162, is: .unmapped, at: 0x1_2345_6000, says: "KFENCE"),
    Case(0x0000_0000_1d40_00e2, level: 2, is: .invalidated, at: 0x1d40_0000, says: "splitting"),
    // A pmd that a device driver or a stray write left: "1] ....." in memory's order.
    Case(0x2e2e_2e2e_2e20_5d31, level: 2, is: .text, says: "\"1] .....\""),
    Case(0x6b6b_6b6b_6b6b_6b6b, is: .poison, says: "POISON_FREE"),
    Case(0x6b6b_6b6b, level: 2, mode: .i386, is: .poison, says: "POISON_FREE"),
    Case(0x5a5a_5a5a_5a5a_5a5a, is: .poison, says: "POISON_INUSE"),
    Case(0xaaaa_aaaa_aaaa_aaaa, is: .poison, says: "PAGE_POISON"),
    Case(0xdead_0000_0000_0122, is: .poison, says: "LIST_POISON2"),
    Case(0xfbfb_fbfb_fcfc_fcfc, is: .poison, says: "KASAN"),
    Case(0xffff_ffff_ffff_ffff, is: .allOnes, says: "all ones"),
    // /dev/kmem mapped by the virtual address, 2.6.11.
    Case(0xffff_ffff_8048_a025, is: .address, says: "a virtual address"),
    Case(0xffff_8880_1234_5678, is: .address, says: "a virtual address"),
    // hfi1: a frame above what the processor can address.
    Case(0x8000_4916_8e91_1235, bits: 46, is: .unreachableFrame, says: "above what the processor"),
    Case(0x8000_4916_8e91_1235, is: .unreachableFrame, says: "above what Linux uses"),
    Case(
      0x8000_4916_8e91_1235, level: 1, mode: .x86_64FiveLevel, is: .leaf, at: 0x4916_8e91_1000,
      says: "a page of 4 KiB"),
    Case(0x3fff_f0e3, level: 3, is: .reservedBits, says: "must be clear"),
    Case(0x1d40_20e3, level: 2, is: .reservedBits, says: "bits 0x2000"),
    // 0day's "bad pmd": a valid huge page of PAE.
    Case(
      0x8000_0004_33c0_00c5, level: 2, mode: .i386PAE, is: .leaf, at: 0x4_33c0_0000,
      says: "a page of 2 MiB at 0x433c00000"),
    // Swap of type 1, offset 0x1234: inverted since 4.19.
    Case(
      1 << 59 | (~0x1234 & ((1 << 50) - 1)) << 9, release: "6.12.1", is: .swap, at: nil,
      says: "swapped out: type 1, offset 0x1234"),
    Case(
      0x1234 << 14 | 3 << 9, release: "4.14.0", is: .swap,
      says: "swapped out: type 3, offset 0x1234"),
    Case(
      0x1234 << 9 | 2 << 1, release: "3.10.0-862.el7", is: .swap, at: nil,
      says: "swapped out: type 2, offset 0x1234"),
    Case(
      0x1234 << 9 | 2 << 1, level: 1, mode: .i386, is: .swap,
      says: "swapped out: type 2, offset 0x1234"),
    // With device memory; without it these are types of swap areas.
    Case(
      23 << 59 | (~0x1234 & ((1 << 50) - 1)) << 9, release: "6.12.1", is: .poisonedMemory,
      at: 0x123_4000,
      says: "hwpoison"),
    Case(
      25 << 59 | (~0x1234 & ((1 << 50) - 1)) << 9, release: "6.12.1", is: .migration,
      at: 0x123_4000,
      says: "being migrated"),
    Case(
      31 << 59 | (~1 & ((1 << 50) - 1)) << 9, release: "6.12.1", is: .marker, says: "userfaultfd"),
    Case(
      31 << 59 | (~4 & ((1 << 50) - 1)) << 9, release: "6.14.0", is: .marker, says: "guard page"),
    Case(
      27 << 59 | (~0x1234 & ((1 << 50) - 1)) << 9, release: "5.10.0", is: .poisonedMemory,
      at: 0x123_4000,
      says: "hwpoison"),
    Case(0x40, release: "3.10.0", is: .empty, says: "empty"),
    Case(0x0123_4040, release: "3.10.0", is: .nonlinear, says: "nonlinear"),
  ]

  @Test(arguments: cases)
  func isReadAsWhatItIs(_ what: Case) {
    let reading = EntryReading(
      what.entry, level: what.level, mode: what.mode,
      context: EntryReading.Context(release: what.release, physicalBits: what.bits))
    #expect(reading.kind == what.kind, "\(reading.sentence)")
    #expect(reading.sentence.contains(what.words), "\(reading.sentence)")
    if let physical = what.physical { #expect(reading.physical == physical) }
  }

  /// The entry of a guest of SEV-SNP: bit 51 says encrypted, and is no part of the frame.
  @Test func encryptionBitIsNoAddress() {
    let entry: UInt64 = 0x8008_0000_0e91_e163
    let alone = EntryReading(entry, level: 1, mode: .x86_64)
    #expect(alone.kind == .leaf)
    #expect(alone.notes.contains { $0.contains("bit 51") && $0.contains("0xe91e000") })
    let amd = EntryReading.Encryption(mask: 1 << 51)
    let known = EntryReading(
      entry, level: 1, mode: .x86_64, context: EntryReading.Context(encryption: amd))
    #expect(known.physical == 0xe91_e000 && known.notes == [])
    let plain = EntryReading(
      0xe91_e163, level: 1, mode: .x86_64, context: EntryReading.Context(encryption: amd))
    #expect(plain.notes.contains { $0.contains("shared with the host") })
    let tdx = EntryReading.Encryption(mask: 1 << 51, setMeansShared: true)
    let shared = EntryReading(
      entry, level: 1, mode: .x86_64, context: EntryReading.Context(encryption: tdx))
    #expect(shared.notes.contains { $0.contains("shared with the host") })
  }

  @Test func framesAreHeldAgainstTheMachine() {
    var context = EntryReading.Context(memoryEnd: 0x1_0000_0000)
    #expect(
      EntryReading(0x1_0000_0163, level: 1, mode: .x86_64, context: context).notes.contains {
        $0.contains("above the machine's memory")
      })
    #expect(EntryReading(0xffff_f163, level: 1, mode: .x86_64, context: context).notes == [])
    context.isXen = true
    let xen = EntryReading(0x10_0000_0800_8067, level: 1, mode: .x86_64, context: context)
    #expect(xen.notes.contains { $0.contains("Xen PV") })
    #expect(xen.physical == 0x800_8000)
  }

  @Test func accessIsTheEntrysOwn() throws {
    let user = EntryReading(0x125, level: 1, mode: .x86_64)
    #expect(user.access == [.user, .executeInKernel, .executeInUser])
    let data = EntryReading(0x8000_0000_0000_0163, level: 1, mode: .x86_64)
    #expect(data.access == [.write])
    // The top entries of PAE have no such bits, and allow all.
    let pointer = EntryReading(0x255_d001, level: 3, mode: .i386PAE)
    #expect(pointer.access?.isSuperset(of: [.write, .user]) == true)
    #expect(!pointer.sentence.contains("read-only"))
  }
}
