import Foundation
import PageTableLint
import PageTables
import Support
import Testing

/// What arm64's reports say beside the causes that samples/logs/expected.tsv has.
@Suite struct Arm64LogTests {
  private func judged(_ text: String) -> [FaultJudgement] {
    Subject(log: LogReports(text), path: "log").faults
  }

  private func sample(_ name: String) throws -> FaultJudgement {
    let path = Samples.root.appending(path: "samples/logs/\(name)")
    let text = String(decoding: try Data(contentsOf: path), as: UTF8.self)
    return try #require(judged(text).first)
  }

  /// The format by the report's own line, or that of another report of the log.
  @Test(
    arguments: [
      ("arm64-12-user-null-39bit-pmd0-5.7.txt", "arm64 4K 39-bit", "read"),
      ("arm64-24-64k-48bit-pmd0-5.3.txt", "arm64 64K 48-bit", "read"),
      ("arm64-39-exec-nx-64k-42bit-folded-6.x.txt", "arm64 64K 42-bit", "instruction-fetch"),
      ("arm64-50-user-null-16k-36bit-6.4.txt", "arm64 16K 36-bit", "read"),
      ("arm64-08-lpa2-52bit-pte0-6.19.txt", "arm64 4K 52-bit", "read"),
      ("arm64-37-two-cpus-syslog-16k-6.x.txt", "arm64 16K 47-bit", "read"),
      ("arm64-27-write-ro-pte-39bit-6.12.txt", "arm64 4K 39-bit", "write"),
      ("arm64-25-logic-pio-pmd0-5.1.txt", "arm64 4K 48-bit", "write"),
    ])
  func formatAndAccess(_ name: String, _ mode: String, _ access: String) throws {
    let fault = try sample(name).fault
    #expect(fault.mode.name == mode)
    #expect(fault.access?.rawValue == access)
    #expect(fault.isUser == false)
    #expect(fault.errorCode == nil && fault.syndrome != nil)
  }

  @Test(
    arguments: [
      ("arm64-31-pte-valid-bit-cleared-4.14.txt", "unmapped on purpose"),
      ("arm64-29-address-size-fault-vmcore-6.x.txt", "0x7fff84000000 in the pte lies above"),
      ("arm64-09-alignment-1G-block-4.19.txt", "not aligned"),
      ("arm64-14-spurious-l3-valid-pte-5.4.txt", "the syndrome says not present"),
      ("arm64-16-kasan-shadow-noncanonical-6.17.txt", "KASAN's shadow of a null pointer"),
      ("arm64-21-pac-failed-pointer-5.7.txt", "between the halves"),
      ("arm64-01-exec-nx-pte-wrapped-5.19.txt", "PXN of the pte"),
      ("arm64-07-write-ro-no-entries-6.18.txt", "own words: write to read-only"),
      ("arm64-49-sync-external-abort-5.x.txt", "synchronous external abort"),
    ])
  func explanations(_ name: String, _ words: String) throws {
    let explanation = try sample(name).explanation
    #expect(explanation.contains(words), "\(explanation)")
  }

  @Test func agreement() throws {
    #expect(try sample("arm64-27-write-ro-pte-39bit-6.12.txt").agreement == .agrees)
    #expect(try sample("arm64-14-spurious-l3-valid-pte-5.4.txt").agreement == .contradicts)
    #expect(try sample("arm64-22-serror-coresight-5.7.txt").address == nil)
    let areas = [
      "arm64-08-lpa2-52bit-pte0-6.19.txt", "arm64-13-freed-initdata-pte0-5.4.txt",
      "arm64-12-user-null-39bit-pmd0-5.7.txt", "arm64-09-alignment-1G-block-4.19.txt",
    ]
    #expect(
      try areas.map { try sample($0).area } == ["direct map", nil, "user space", "direct map"])
  }

  /// The kernel's own complaints of mappings.
  @Test func insecureMappings() {
    let found = judged(
      """
      [    1.2] arm64/mm: Found insecure W+X mapping at address (____ptrval____)/0xffff000000a99000
      [    1.3] arm64/mm: Found non-UXN mapping at address ffff800010000000/_text+0x0/0x1000
      [    1.4] Checked W+X mappings: FAILED, 11 W+X pages found, 512 non-UXN pages found
      """)
    #expect(found.map(\.fault.kind) == [.insecureMapping, .userExecutable])
    #expect(found.map(\.address) == [0xffff_0000_00a9_9000, 0xffff_8000_1000_0000])
    #expect(found[1].fault.symbol == "_text+0x0/0x1000")
    #expect(found.map(\.severity) == [.warning, .warning])
    #expect(found[1].explanation.contains("user mode may execute"))
    #expect(found[0].fault.mode.name == "arm64 4K 48-bit")
  }

  /// Reports of architectures that are not read stay unknown.
  @Test(
    arguments: [
      """
      Unable to handle kernel paging request at virtual address df80a00c
      [df80a00c] *pgd=80000080004003, *pmd=00000000
      Internal error: Oops: a07 [#1] SMP ARM
      """,
      """
      Unable to handle kernel paging request at virtual address ffffffc41a0110c8
      Current swapper/0 pgtable: 4K pagesize, 39-bit VAs, pgdp=0x0000000082b8e000
      [ffffffc41a0110c8] pgd=0000000000000000
      Oops [#1]
      """,
    ])
  func others(text: String) throws {
    let first = try #require(judged(text).first)
    #expect(first.fault.syndrome == nil && !first.fault.mode.name.hasPrefix("arm64"))
  }

  /// What an x86 log says of its error code is not taken for a syndrome, nor the other way round.
  @Test func codesOfEach() throws {
    let x86 = try #require(
      judged(
        """
        BUG: unable to handle page fault for address: ffffffff96000006
        #PF: supervisor write access in kernel mode
        #PF: error_code(0x0003) - permissions violation
        Oops: 0003 [#1] SMP
        """
      ).first)
    #expect(x86.fault.syndrome == nil && x86.fault.errorCode == 3)
    let old = try #require(
      judged(
        """
        Unable to handle kernel paging request at virtual address ffffffefa007fa57
        Internal error: Oops: 96000047 [#1] PREEMPT SMP
        """
      ).first)
    #expect(old.fault.syndrome?.value == 0x9600_0047 && old.fault.errorCode == nil)
    #expect(old.cause == .notPresent && old.level == "pte" && old.fault.access == .write)
    // User mode's access of a kernel page; PAN.
    let user = try #require(
      judged(
        """
        Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000aaaac4a01000
        ESR = 0x000000009600000f
        user pgtable: 4k pages, 48-bit VAs, pgdp=0000000105434000
        [0000aaaac4a01000] pgd=0800000109c46003, p4d=0800000109c46003, pud=0800000109c47003, pmd=0800000109c48003, pte=00e8000109c49f43
        """
      ).first)
    #expect(user.cause == .userPage && user.level == nil && user.agreement == .agrees)
  }
}
