import Foundation
import KernelText
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Faults that a log reports: each form of the kernel's strings, each cause on declared tables, and
/// a real kernel that was made to fault.
@Suite struct FaultTests {
  // MARK: - Strings

  private func only(_ text: String) throws -> Fault {
    let faults = LogReports(text).faults
    #expect(faults.count == 1)
    return try #require(faults.first)
  }

  private static let today = """
    kernel tried to execute NX-protected page - exploit attempt? (uid: 0)
    BUG: unable to handle page fault for address: ffffffff81e01230
    #PF: supervisor write access in kernel mode
    #PF: error_code(0x0003) - permissions violation
    PGD 2a31067 P4D 2a31067 PUD 2a32063 PMD 80000000016001e1 
    Oops: Oops: 0003 [#1] PREEMPT SMP NOPTI
    RIP: 0010:lkdtm_WRITE_RO+0x2d/0x39
    ---[ end trace 0000000000000000 ]---
    RIP: 0033:0x432780
    """

  /// Plain, stamped, quoted, from syslog, as printk's ring has it: the same.
  @Test(arguments: [
    "", "[   31.908733] ", "> > [   31.908733] ", "<1>[   31.908733] ", "[   31.908733][    T1] ",
    "Jun 30 11:11:51 host kernel: [   31.908733] ", "\t",
  ])
  func todaysForm(_ prefix: String) throws {
    let lines = Self.today.split(separator: "\n").map { prefix + $0 }
    let fault = try only(lines.joined(separator: "\n"))
    #expect(fault.kind == .pageFault)
    #expect(fault.address == 0xffff_ffff_81e0_1230)
    #expect(fault.errorCode == 3)
    #expect(fault.access == .write)
    #expect(fault.isUser == false)
    #expect(fault.instruction == "lkdtm_WRITE_RO+0x2d/0x39")
    #expect(fault.line == 2)
    #expect(fault.hint?.hasPrefix("kernel tried to execute NX-protected page") == true)
    #expect(
      fault.entries == [
        Fault.Entry("pgd", 0x2a31067), Fault.Entry("p4d", 0x2a31067), Fault.Entry("pud", 0x2a32063),
        Fault.Entry("pmd", 0x8000_0000_0160_01e1),
      ])
    #expect(fault.quote == "BUG: unable to handle page fault for address: ffffffff81e01230")
  }

  /// A log of any month, at a place where nothing else says that a line begins there.
  @Test(arguments: [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ])
  func everyMonth(_ month: String) throws {
    let lines = Self.today.split(separator: "\n").map {
      "\(month)  7 11:11:51 my-host kernel: \($0)"
    }
    let fault = try only(lines.joined(separator: "\n"))
    #expect(fault.line == 2 && fault.errorCode == 3 && fault.entries.count == 4)
    let wall = Self.today.split(separator: "\n").map { "[Mon \(month) 30 11:11:51 2008] \($0)" }
    #expect(try only(wall.joined(separator: "\n")).entries.count == 4)
  }

  @Test(
    arguments: [
      ("BUG: unable to handle page fault for address: ffffc90000123000", 0xffff_c900_0012_3000),
      ("unable to handle page fault for address: ffffc90000123000", 0xffff_c900_0012_3000),
      ("BUG: kernel NULL pointer dereference, address: 0000000000000018", 0x18),
      ("BUG: unable to handle kernel paging request at ffffc90000123000", 0xffff_c900_0012_3000),
      ("Unable to handle kernel paging request at ffff81000012d000 RIP:", 0xffff_8100_0012_d000),
      ("BUG: unable to handle kernel paging request at virtual address c0401000", 0xc040_1000),
      ("BUG: unable to handle kernel NULL pointer dereference at 0000000000000008", 8),
      ("BUG: unable to handle kernel NULL pointer dereference at (null)", 0),
      ("tsc: Unable to calibrate against PIT", nil), ("BUG: soft lockup - CPU#1 stuck", nil),
    ] as [(String, UInt64?)])
  func headers(_ line: String, _ address: UInt64?) throws {
    #expect(LogReports(line).faults.first?.address == address)
  }

  @Test func olderForm() throws {
    let fault = try only(
      """
      BUG: unable to handle kernel paging request at ffffffff8104b27b
      IP: [<ffffffff8104b27b>] do_overwritten+0xb/0x20
      PGD 1a07067 PUD 1a08063 PMD 10001e1
      Oops: 0003 [#1] SMP
      """)
    #expect(fault.errorCode == 3)
    #expect(fault.access == .write)
    #expect(fault.instruction == "do_overwritten+0xb/0x20")
    #expect(fault.entries.map(\.name) == ["pgd", "pud", "pmd"])
    let rip = try only(
      "BUG: unable to handle kernel paging request at ffffffff8104b27b\n"
        + "RIP: 0010:[<ffffffff8104b27b>]  [<ffffffff8104b27b>] do_one+0xb/0x20")
    #expect(rip.instruction == "do_one+0xb/0x20")
  }

  @Test func thirtyTwoBits() throws {
    let fault = try only(
      """
      BUG: unable to handle page fault for address: c0401000
      *pdpt = 0000000001b2a001 *pde = 0000000000000000
      Oops: 0002 [#1]
      EIP: do_one+0xb/0x20
      """)
    #expect(fault.entries == [Fault.Entry("pdpt", 0x1b2a001), Fault.Entry("pde", 0)])
    #expect(fault.instruction == "do_one+0xb/0x20")
  }

  @Test func otherReports() throws {
    let protection = try only(
      "Oops: general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1]"
    )
    #expect(protection.kind == .generalProtection)
    #expect(protection.address == 0xdead_0000_0000_0108)
    #expect(LogReports("traps: cat[1] general protection fault ip:43 sp:7f error:0").faults.isEmpty)
    let corrupted = try only(
      "cat: Corrupted page table at address 7f0000001000\nPGD 8000000001a07067\nBad pagetable: 000d [#1]"
    )
    #expect(corrupted.kind == .corruptedTable)
    #expect(corrupted.address == 0x7f00_0000_1000)
    #expect(corrupted.errorCode == 13)
    let entry = try only("mm/pgtable-generic.c:54: bad pmd ffff888001234008(00000000deadbeef)")
    #expect(entry.kind == .badEntry)
    #expect(entry.address == 0xffff_8880_0123_4008)
    #expect(entry.entries == [Fault.Entry("pmd", 0xdead_beef)])
    let map = try only(
      "BUG: Bad page map in process cat  pte:ff00000000000025 pmd:01a08067\n"
        + "addr:00007f0000001000 vm_flags:00100073 anon_vma:0000000000000000")
    #expect(map.kind == .badPageMap)
    #expect(map.address == 0x7f00_0000_1000)
    #expect(map.entries.map(\.name) == ["pte", "pmd"])
    let smep = try only(
      "unable to execute userspace code (SMEP?) (uid: 0)\n"
        + "BUG: unable to handle page fault for address: 00007f0d0eb79000")
    #expect(smep.hint == "unable to execute userspace code (SMEP?) (uid: 0)")
  }

  @Test func mappingsThatTheLogNames() throws {
    let mark = "x86/mm: Found insecure W+X mapping at address "
    for (place, address, symbol) in [
      ("ffffc90000123000", 0xffff_c900_0012_3000, nil),
      ("0xffffc90000123000", 0xffff_c900_0012_3000, nil),
      ("00000000abcdef12/0xffffc90000123000", 0xffff_c900_0012_3000, nil),
      (
        "ffffffff81e00000/level2_ident_pgt+0x0/0x1000", 0xffff_ffff_81e0_0000,
        "level2_ident_pgt+0x0/0x1000"
      ),
      ("00000000abcdef12/level2_ident_pgt+0x0/0x1000", nil, "level2_ident_pgt+0x0/0x1000"),
      ("level2_ident_pgt+0x0/0x1000", nil, "level2_ident_pgt+0x0/0x1000"),
    ] as [(String, UInt64?, String?)] {
      let fault = try only(mark + place)
      #expect(fault.kind == .insecureMapping)
      #expect(fault.address == address, "\(place)")
      #expect(fault.symbol == symbol, "\(place)")
    }
    let change = try only(
      "CPA detected W^X violation: 00000000000001a1 -> 00000000000001a3 range: "
        + "0xffffffff81000000 - 0xffffffff811fffff PFN 1000")
    #expect(change.kind == .writeExecute)
    #expect(change.address == 0xffff_ffff_8100_0000)
    #expect(change.last == 0xffff_ffff_811f_ffff)
    let refused = try only(
      "CPA  protect  Rodata RO: 0xffff888001600000 - 0xffff888001600fff PFN 1600 req 0123 prevent 02"
    )
    #expect(refused.kind == .protected)
    #expect(refused.last == 0xffff_8880_0160_0fff)
  }

  /// Lines that are printed for each page hide no report that a paste has put into them.
  @Test(arguments: [
    "CPA ffff888021200000: bad pte 212000e3", "CPA ffff888021200000: unexpected level 2",
    "CPA  protect  Rodata RO: 0xffff888001600000 - 0xffff888001600fff PFN 1600 req 0123 prevent 02",
  ])
  func aReportInALineOfCPA(_ line: String) {
    let kinds = LogReports(line).faults.map(\.kind)
    #expect(kinds == (line.contains("protect") ? [.protected] : []))
    let report = "BUG: unable to handle page fault for address: ffff888021200000"
    for text in ["\(line) \(report)", "\(report)\n\(line)", "\(line)\n\(report)"] {
      let pageFaults = LogReports(text).faults.filter { $0.kind == .pageFault }
      #expect(pageFaults.map(\.address) == [0xffff_8880_2120_0000], "\(text)")
    }
  }

  /// A real log has hundreds of such lines, which must not crowd the faults out.
  @Test func refusedChangesAreRanges() throws {
    let faults = LogReports(try Samples.text("faults", "kernel.log")).faults
    let refused = faults.filter { $0.kind == .protected }
    #expect(refused.count == 2)
    #expect(refused.allSatisfy { ($0.last ?? 0) - ($0.address ?? 0) > 1 << 20 })
    #expect(faults.count == refused.count + 11)
  }

  @Test func lastBootOnly() {
    let log = LogReports("\(Self.today)\nLinux version 6.1.0 (x@y)\n\(Self.today)")
    #expect(log.release == "6.1.0")
    #expect(log.faults.map(\.line) == [12])
  }

  @Test func controlCharactersAreNotPassedOn() throws {
    let fault = try only(
      "\u{1b}]0;x\u{7}BUG: unable to handle page fault for address: ff00")
    #expect(fault.quote.unicodeScalars.allSatisfy { $0.value >= 32 })
  }

  // MARK: - Causes

  /// The direct map's first pages at 0xffff888000000000, each of another kind; and user space.
  private static let tables = """
    root 0x2000
    table 0x2000
      0: 0x6067
      273: 0x3063
    table 0x3000
      0: 0x4063
      1: 0x9061
      2: 0x80000000400020e3
    table 0x4000
      0: 0x5063
      1: 0x0
    table 0x5000
      0: 0x8000000000002063
      1: 0x8000000000002161
      2: 0x3063
    table 0x6000
      0: 0x7067
    table 0x7000
      0: 0x8067
    table 0x8000
      1: 0x2067
    table 0x9000
      0: 0x80000000400001e3
    """

  private func subject() throws -> Subject {
    try Fixtures.subject(tables: DeclaredTables(Self.tables))
  }

  private func judge(_ address: String, _ code: String, _ entries: String = "") throws
    -> FaultJudgement
  {
    let subject = try subject()
    return subject.judge(
      try only(
        "BUG: unable to handle page fault for address: \(address)\n#PF: error_code(\(code)) - x\n"
          + entries), in: nil)
  }

  @Test(
    arguments: [
      ("ffff888000003000", "0x0000", .notPresent, "pte", .agrees),
      ("ffff888000200000", "0x0002", .notPresent, "pmd", .agrees),
      ("ffff888000200000", "0x0003", .notPresent, "pmd", .contradicts),
      ("ffffc90000000000", "0x0000", .notPresent, "pgd", .agrees),
      ("ffff888000001000", "0x0003", .readOnly, "pte", .agrees),
      ("ffff888040000000", "0x0003", .readOnly, "pud", .agrees),
      ("ffff888000000000", "0x0011", .noExecute, "pte", .agrees),
      ("ffff888000000000", "0x0010", .noExecute, "pte", .contradicts),
      ("ffff888080000000", "0x0009", .reservedBits, "pud", .agrees),
      ("ffff888080000000", "0x0000", .reservedBits, "pud", .contradicts),
      ("ffff888000002000", "0x0005", .supervisorPage, "pgd", .agrees),
      ("ffff888000002000", "0x0003", .allowed, nil, .contradicts),
      ("ffff888000002000", "0x0011", .allowed, nil, .contradicts),
      ("ffff888000002000", "0x0021", .allowed, nil, .agrees),
      ("0000000000000008", "0x0000", .notPresent, "pte", .agrees),
      ("0000000000001000", "0x0000", .notPresent, nil, .unknown),
    ] as [(String, String, FaultJudgement.Cause, String?, FaultJudgement.Agreement)])
  func causes(
    _ address: String, _ code: String, _ cause: FaultJudgement.Cause, _ level: String?,
    _ agreement: FaultJudgement.Agreement
  ) throws {
    let judged = try judge(address, code)
    #expect(judged.cause == cause)
    #expect(judged.level == level)
    #expect(judged.agreement == agreement, "\(judged.explanation)")
    #expect(!judged.explanation.isEmpty)
  }

  @Test func contradictionsSayWhatTheReportSays() throws {
    #expect(
      try judge("ffff888000002000", "0x0003").explanation
        == "the tables now allow this access; the report says a violation of permissions: changed "
        + "since, or another root")
    #expect(
      try judge("ffff888040000000", "0x0003").explanation
        == "a write to a read-only page: the pud has no RW")
  }

  @Test func notCanonical() throws {
    let judged = try subject().judge(
      try only(
        "general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1]"
      ))
    #expect(judged.cause == .notCanonical)
    #expect(judged.agreement == .agrees)
    #expect(judged.area == nil)
  }

  /// A process' own root shows what the kernel's does not.
  @Test func userPages() throws {
    let subject = try Samples.withTemporaryFile { path in
      try DeclaredTables(Self.tables).image.write(to: path)
      return Subject(
        image: try KernelImage(ImageFile.open(path: path)),
        roots: [(id: .root(0x2000), address: 0x2000)])
    }
    let head = "BUG: unable to handle page fault for address: 0000000000001000\n"
    for (code, words) in [("0x0001", "SMAP"), ("0x0011", "SMEP")] {
      let judged = subject.judge(try only(head + "#PF: error_code(\(code)) - x"))
      #expect(judged.cause == .userPage)
      #expect(judged.agreement == .agrees)
      #expect(judged.explanation.hasSuffix(words))
    }
  }

  /// A and D may differ, nothing else.
  @Test(
    arguments: [
      ("PGD 3063 P4D 3063 PUD 4063 PMD 5063 PTE 8000000000002161", .same),
      ("PGD 3003 P4D 3003 PUD 4003 PMD 5003 PTE 8000000000002121", .same),
      ("PGD 3063 P4D 3063 PUD 4063 PMD 5063 PTE 8000000000002163", .different),
      ("PGD 3063 P4D 3063 PUD 0", .different), ("PGD 3067 ", .different), ("", .unknown),
    ] as [(String, FaultJudgement.Entries)])
  func entries(_ line: String, _ wanted: FaultJudgement.Entries) throws {
    #expect(try judge("ffff888000001000", "0x0003", line).entries == wanted)
  }

  @Test func deeperInTheLogThanNow() throws {
    let judged = try judge(
      "ffff888000200000", "0x0003", "PGD 3063 P4D 3063 PUD 4063 PMD 0 PTE 123063")
    #expect(judged.entries == .different)
  }

  @Test func badEntryIsReadAgain() throws {
    // The direct map of these tables leads the first page to the frame of the root.
    let judged = try subject().judge(
      try only("mm/pgtable-generic.c:54: bad pgd ffff888000000888(0000000000003063)"))
    #expect(judged.entries == .same)
    let other = try subject().judge(
      try only("mm/pgtable-generic.c:54: bad pgd ffff888000000888(00000000deadbeef)"))
    #expect(other.entries == .different)
    #expect(other.explanation.hasSuffix("holds now 0x3063"))
  }

  /// A text dump holds no entries: the report's own tell.
  @Test func aReportIsJudgedByItsOwnEntriesBesideATextDump() throws {
    let bytes = Array(try Samples.text("healthy", "kernel.txt").utf8)
    let subject = try Subject(text: KernelText.parse(bytes.span), path: "kernel.txt")
    let judged = subject.judge(try only(Self.today))
    #expect(judged.cause == .readOnly && judged.level == "pmd" && judged.judgedBy == .report)
    #expect(judged.tablesCause == nil)
    #expect(judged.explanation == "a write to a read-only page: the pmd has no RW")
    let bare = subject.judge(
      try only("BUG: unable to handle page fault for address: ffffffff81e01230"))
    #expect(bare.cause == .unknown)
    #expect(bare.explanation == "unknown without a memory image")
  }

  // MARK: - A real kernel

  private func real() throws -> Linter.Report {
    var subject = Subject(image: try Samples.image("faults"))
    let log = try #require(subject.image?.log?.value)
    #expect(subject.take(log: log, userRelease: nil) == nil)
    return Linter.run(subject)
  }

  @Test func eachProvokedFaultIsExplained() throws {
    let report = try real()
    // The oopses are findings, so that a crash's image never passes.
    #expect(
      report.findings.filter { $0.severity > .note }.map(\.rule.id)
        == [String](repeating: "PT801", count: 10))
    #expect(report.findings.filter { $0.rule.id == "PT804" }.map(\.severity) == [.note])
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 1)
    let faults = report.subject.told.filter { !$0.fault.kind.isOfMapping }
    #expect(
      faults.map(\.cause) == [
        .readOnly, .readOnly, .readOnly, .noExecute, .noExecute, .noExecute, .notPresent,
        .notPresent, .userPage, .userPage,
      ])
    #expect(faults.prefix(8).allSatisfy { $0.tablesCause == $0.cause && $0.judgedBy == .report })
    #expect(faults.suffix(2).allSatisfy { $0.tablesCause == .unknown })
    #expect(faults.prefix(8).allSatisfy { $0.agreement == .agrees })
    #expect(faults.prefix(6).allSatisfy { $0.entries == .same && $0.level == "pte" })
    #expect(
      faults.map(\.symbol) == [
        "rodata", "ro_after_init", "do_overwritten", "data_area", "lkdtm_rodata_do_nothing", nil,
        nil, nil, nil, nil,
      ])
    #expect(faults.map(\.area)[5] == "vmalloc")
    #expect(faults.first?.fault.instruction == "lkdtm_WRITE_RO+0x2d/0x39")
    #expect(faults.map(\.fault.hint).filter { $0 != nil }.count == 4)
  }

  /// The two of user memory, by the table of the process that made them.
  @Test func userMemoryByTheProcessTable() throws {
    let image = try Samples.image("faults")
    let root = try #require(image.cpus.first).cr3 & ~0xfff
    var subject = Subject(image: image, roots: [(id: .root(root), address: root)])
    #expect(subject.take(log: try #require(image.log?.value), userRelease: nil) == nil)
    let faults = subject.faults.filter { !$0.fault.kind.isOfMapping }
    #expect(faults.allSatisfy { $0.agreement == .agrees && $0.entries == .same })
    #expect(faults.suffix(2).map(\.cause) == [.userPage, .userPage])
  }

  /// A process' own address, by the tables of the process that the report names.
  @Test func theProcessOfTheReport() throws {
    let tables = """
      root 0x2000
      process 7 sleep 0x6000
      table 0x2000
        273: 0x4063
      table 0x4000
        0: 0x80000000000001e3
      table 0x6000
        0: 0x7067
      table 0x7000
        1: 0x8067
      table 0x8000
      """
    func judged(pid: Int) throws -> FaultJudgement {
      var subject = try Fixtures.subject(tables: DeclaredTables(tables))
      let log = """
        BUG: unable to handle page fault for address: 0000000040001000
        #PF: error_code(0x0002) - not-present page
        PGD 7067 P4D 7067 PUD 8067 PMD 0
        Oops: 0002 [#1] SMP
        CPU: 1 UID: 0 PID: \(pid) Comm: sleep Not tainted
        Kernel panic - not syncing: Fatal exception
        """
      #expect(subject.take(log: log, userRelease: nil) == nil)
      #expect(subject.panic == "Kernel panic - not syncing: Fatal exception")
      return try #require(subject.faults.first)
    }
    let own = try judged(pid: 7)
    #expect(own.process?.label == "pid 7 (sleep)")
    #expect(own.cause == .notPresent && own.level == "pmd")
    #expect(own.agreement == .agrees && own.entries == .same)
    let unknown = try judged(pid: 8)
    #expect(unknown.process == nil && unknown.tablesCause == .unknown)
    #expect(unknown.cause == .notPresent && unknown.judgedBy == .report)
  }

  @Test func reportsThatAreNotKeptAreCounted() throws {
    let line = "BUG: unable to handle page fault for address: ffffffff81e01230\n"
    var subject = try subject()
    #expect(subject.take(log: String(repeating: line, count: 1003), userRelease: nil) == nil)
    #expect(subject.faultsLeftOut == 3)
    let text = TextReport.check(
      [Linter.run(subject)], detail: .normal, style: TextStyle(color: false))
    #expect(text.contains("and 987 more reports in the log"))
  }

  @Test func aMappingIsTiedToItsFinding() throws {
    var subject = Subject(image: try Samples.image("writable-executable"))
    let log = try #require(subject.image?.log?.value)
    #expect(subject.take(log: log, userRelease: nil) == nil)
    let report = Linter.run(subject)
    let finding = try #require(report.findings.first)
    #expect(
      finding.evidence.contains {
        $0.text(subject.mode).hasPrefix(
          "the kernel's log names it: Found insecure W+X mapping at address ")
      })
    // The self-test's undo makes text writable for a moment.
    let reports = report.findings.filter { $0.report != nil }
    #expect(reports.map(\.severity) == [.note])
    let change = try #require(reports.first?.report)
    #expect(change.fault.kind == .writeExecute)
    #expect(change.explanation.contains("expected: the kernel tests CPA on its own text"))
    #expect(change.explanation.contains("effective kernel read-only executable"))
    // The report counts where it is evidence, too.
    #expect(report.reportCount == 2)
    // Without a finding that covers it, it is one of its own.
    let alone = Linter.run(subject, rules: [Rule.named("PT804")].compactMap { $0 })
    #expect(alone.findings.map(\.severity) == [.warning, .note])
    #expect(alone.findings.first?.report?.fault.kind == .insecureMapping)
  }

  /// An oops at a page that a rule finds is its evidence, but a note about an area hides none.
  @Test func anOopsAtAPageThatARuleFinds() throws {
    let oops = """
      BUG: unable to handle page fault for address: ADDRESS
      #PF: supervisor write access in kernel mode
      #PF: error_code(0x0003) - permissions violation
      Oops: 0003 [#1] SMP

      """
    var subject = Subject(image: try Samples.image("writable-executable"))
    let own = try #require(subject.image?.log?.value)
    let page = try #require(Linter.run(subject).findings.first { $0.rule.id == "PT001" })
    let note = try #require(Linter.run(subject).findings.first { $0.rule.id == "PT304" })
    func run(_ address: UInt64) -> [Judged] {
      #expect(
        subject.take(
          log: own + oops.replacing("ADDRESS", with: String(address, radix: 16)), userRelease: nil)
          == nil)
      return Linter.run(subject).findings
    }
    let merged = run(page.start + 0x123)
    #expect(merged.filter { $0.severity > .note }.map(\.rule.id) == ["PT001"])
    #expect(
      merged[0].evidence.contains {
        $0.text(subject.mode).hasPrefix(
          "the kernel's log names it: BUG: unable to handle page fault")
      })
    let apart = run(note.start)
    #expect(apart.filter { $0.severity > .note }.map(\.rule.id) == ["PT001", "PT801"])
  }

  @Test func aLogOfAnotherReleaseIsRefused() throws {
    var subject = Subject(image: try Samples.image("faults"))
    let reason = subject.take(
      log: "Linux version 5.10.0-1 (x@y)\n\(Self.today)", userRelease: nil)
    #expect(reason?.contains("5.10.0-1") == true)
    #expect(subject.faults.isEmpty)
  }

  /// Two boots of one release, without KASLR: only the times differ.
  @Test func aLogOfAnotherBootIsRefused() throws {
    var subject = Subject(image: try Samples.image("faults"))
    let own = try #require(subject.log?.value)
    let other = own.split(separator: "\n").map { line in
      // A third of a second later.
      let time = line.dropFirst().prefix { $0 != "]" }.drop { $0 == " " }
      let moved = (Double(String(time)) ?? 0) + 0.333_333
      return "[\(String(format: "%12.6f", moved))\(line.drop { $0 != "]" })"
    }.joined(separator: "\n")
    let reason = subject.take(log: other, userRelease: nil)
    #expect(reason?.contains("own log has") == true)
    #expect(subject.faults.isEmpty)
    // Followed by the crash kernel's boot, as a console has it.
    // Its lines end with a carriage return.
    let both =
      own.replacing("\n", with: "\r\n") + "[    0.000000] Linux version 6.12.117 (x@y)\n" + other
    var crashed = subject
    #expect(crashed.take(log: both, userRelease: nil) == nil)
    #expect(!crashed.faults.isEmpty)
    #expect(crashed.faults.allSatisfy { $0.fault.line <= own.split(separator: "\n").count })
    #expect(crashed.faults.allSatisfy { own.contains($0.fault.quote) })
    // The end of the same log, as syslog has it, and one that carries no times.
    let end = own.split(separator: "\n").suffix(200)
    for log in [
      end.map { "Jun 30 11:11:51 host kernel: \($0)" },
      end.map { String($0.drop { $0 != "]" }.dropFirst(2)) },
    ] {
      var subject = subject
      #expect(subject.take(log: log.joined(separator: "\n"), userRelease: nil) == nil)
      #expect(!subject.faults.isEmpty)
    }
  }

  @Test func reportIsShort() throws {
    let text = TextReport.check([try real()], detail: .normal, style: TextStyle(color: false))
    #expect(
      text.contains(": a write to a read-only page: the pte has no RW (kernel image, rodata)\n"))
    #expect(text.split(separator: "\n").count < 60)
  }
}
