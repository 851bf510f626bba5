import Foundation
import KernelImages
import PageTableLint
import Support
import Testing

/// Logs as people post them, each judged by what its reports print.
@Suite struct LogCaseTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name, address, cause, level: String
    var testDescription: String { name }
  }

  private static let folder = Samples.root.appending(path: "samples/logs")

  private static func text(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
  }

  private static let cases: [Case] = {
    let list = (try? text("expected.tsv")) ?? ""
    return list.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      return Case(name: fields[0], address: fields[1], cause: fields[2], level: fields[3])
    }
  }()

  private static func judged(_ text: String) -> [FaultJudgement] {
    Subject(log: LogReports(text), path: "log").faults
  }

  /// Entries that map the page, and nothing that says what the access was.
  @Test func whatAReportLacksIsNamed() throws {
    let found = Self.judged(try Self.text("15-simple-pebs-user-fault-4.13.txt"))
    #expect(found.count == 1 && found[0].cause == .unknown)
    #expect(found[0].explanation.contains("no error code, which would say what the access was"))
    let bare =
      "BUG: unable to handle kernel paging request at ffff9d6c14e52038\nIP: do_it+0x1/0x2\n"
    #expect(Self.judged(bare).first?.explanation.contains("neither entries nor") == true)
  }

  @Test func allCasesAreThere() { #expect(Self.cases.count == 113) }

  @Test(arguments: cases)
  func firstReport(_ wanted: Case) throws {
    let text = try Self.text(wanted.name)
    let isLog = KernelLog.matches(text.utf8.span)
    #expect(isLog)
    let first = try #require(Self.judged(text).first)
    if wanted.address != "-" {
      #expect(first.address == UInt64(wanted.address, radix: 16))
    }
    if wanted.cause != "-" { #expect(first.cause.rawValue == wanted.cause) }
    if wanted.level != "-" { #expect(first.level == wanted.level) }
    #expect(!first.explanation.isEmpty)
  }

  /// Every kind of report, and where a log holds several all of them.
  @Test(
    arguments: [
      ("23-0day-bad-pmd-i386-5.17.txt", "bad-entry bad-rss-counter", 6),
      ("25-bad-page-map-virtio-6.10.txt", "bad-page-map bad-rss-counter", 2),
      ("29-wx-hyperv-efi-4.4-docker.txt", "insecure-mapping", 1),
      ("95-wx-xen-dom0-4.4.txt", "insecure-mapping", 1),
      ("96-wx-azure-4.4.txt", "insecure-mapping", 1),
      ("33-cpa-zero-pte-i386-4.18.txt", "cpa-zero-entry", 1),
      ("35-wx-its-thunks-6.16.txt", "insecure-mapping", 1),
      ("55-bad-pte-noapic-2.6.txt", "bad-entry", 1),
      ("01-corrupted-pt-shm-2.6.35.txt", "bad-page-map corrupted-page-table", 4),
      ("62-clang11-BAD-pagetable-5.13.txt", "corrupted-page-table page-fault", 6),
      ("65-i386-bad-page-map-oom-reaper.txt", "bad-page-map", 3),
      ("76-shmem-getpage-7-oopses.txt", "page-fault", 7),
      ("83-clang-miscompile-wrapped.txt", "page-fault", 5),
      ("F10-error-code-of-another-report.txt", "bad-page-map", 1),
      ("F12-cpa-conflict.txt", "cpa-conflict", 1), ("F13-cpa-zero-pte.txt", "cpa-zero-entry", 1),
      ("F14-bad-page-map-6.18.txt", "bad-page-map", 1),
      ("F15-bad-pmd-without-address.txt", "bad-entry", 2),
      ("F18-gp-wrapped.txt", "general-protection", 1),
      ("F19-bad-pmd-hashed-pointer.txt", "bad-entry", 1),
    ])
  func kinds(_ name: String, _ kinds: String, _ count: Int) throws {
    let faults = Self.judged(try Self.text(name)).map(\.fault)
    #expect(Set(faults.map(\.kind.rawValue)).sorted().joined(separator: " ") == kinds)
    #expect(faults.count == count)
  }

  // MARK: - Single questions

  private func first(_ name: String) throws -> FaultJudgement {
    try #require(Self.judged(Self.text(name)).first)
  }

  /// A report keeps its own lines.
  @Test func ofAnotherReportNothingIsTaken() throws {
    let fault = try first("F10-error-code-of-another-report.txt").fault
    #expect(fault.errorCode == nil && fault.instruction == nil)
    #expect(fault.address == 0x7fe4_c4f5_b000)
    #expect(
      try first("F11-eip-EFLAGS.txt").fault.instruction == "free_hot_cold_page+0xe8/0x14b")
    let oopses = Self.judged(try Self.text("83-clang-miscompile-wrapped.txt")).map(\.fault)
    // Two threads' lines run into one another.
    #expect(oopses.map(\.pid).prefix(3) == [9969, 16898, 16896])
    #expect(oopses.map(\.entries.count) == [4, 4, 2, 4, 2])
  }

  /// An address that is not all there is found again in CR2, or is said to be damaged; never a
  /// shorter number.
  @Test func damagedAddresses() throws {
    let lost = try first("45-ext4-nx-no-tables-7.0.txt")
    #expect(lost.address == nil && lost.fault.damaged == "ffffffff8d4b9d")
    #expect(lost.explanation.contains("cuts the address off after ffffffff8d4b9d"))
    #expect(try first("90-xen-pv-cpufreq.txt").address == 0x70)
    #expect(try first("88-nbsp-stamps.txt").address == 0xffff_8880_be45_3000)
    let hashed = try first("F19-bad-pmd-hashed-pointer.txt")
    #expect(hashed.address == nil && hashed.area == nil)
    #expect(hashed.explanation.contains("hash"))
  }

  @Test(
    arguments: [
      (
        "11-debug-pagealloc-i386-inverted-pte-6.5.txt",
        "stored inverted against L1TF, the direct map's own page"
      ),
      (
        "79-hibernate-inverted-pte.txt",
        "its frame is 0x108000, stored inverted against L1TF, the direct map's own"
      ),
      ("09-ascii-pmd-6.12.txt", "text, no entry: \"1] .....\""),
      ("05-dev-kmem-mmap-2.6.11.txt", "a virtual address, no frame: 0xffffffff8048a025"),
      ("07-hfi1-psm2-pte.txt", "lies above what the processor can address"),
      ("23-0day-bad-pmd-i386-5.17.txt", "valid huge page in the place of a table"),
      ("F06b-x86_64-2.6-RIP-at-line-end.txt", "only NX can be"),
      ("21-smep-kernel-text-user-cr3-4.15.txt", "PTI is on"),
      ("81-snp-rmp-fault-0x80000003.txt", "RMP"),
      ("39-i386-pae-wrapped-2.6.33.txt", "an error number in place of a pointer (-9)"),
      ("51-kasan-shadow-hole-5.8.txt", "KASAN's shadow of 0xffffffffd178b9f8"),
      ("71-migrate-swap-1.2MB.txt", "a null pointer with the offset 0x4c8"),
      ("F18-gp-wrapped.txt", "the pointer's bytes are text, \"pic_acce\""),
      ("66-i386-fe80c000-memcpy.txt", "the error code says not present"),
    ])
  func explanations(_ name: String, _ words: String) throws {
    let explanation = try first(name).explanation
    #expect(explanation.contains(words), "\(explanation)")
  }

  private func explanation(_ text: String) throws -> String {
    try #require(Self.judged(text).first).explanation
  }

  /// The causes that are known of a release, and what they need: the release, and words of the log.
  @Test func knownCauses() throws {
    let its = try Self.text("35-wx-its-thunks-6.16.txt")
    #expect(try explanation(its).contains("known of that release: thunks of the ITS mitigation"))
    #expect(try !explanation(its.replacing("6.16.0-rc6", with: "6.17.1")).contains("ITS"))
    #expect(try !explanation(its.replacing("6.16.0-rc6 ", with: "")).contains("ITS"))
    let efi = try Self.text("29-wx-hyperv-efi-4.4-docker.txt")
    let banner = "Linux version 4.4.30-moby (x@y)\n"
    // The beginning of the log would tell.
    for text in [efi, banner + "efi: EFI v2.40 by Microsoft\n" + efi] {
      #expect(
        try explanation(text).contains(
          "known of that release: EFI runtime code and data: until 4.6"))
    }
    #expect(try !explanation(banner + efi).contains("known of that release"))
    // Up to 4.16 the kernel looked at the leaves alone, and Xen PV has NX above them.
    let xen = try Self.text("95-wx-xen-dom0-4.4.txt")
    #expect(try explanation(xen).contains("or a false alarm of a Xen PV guest: the kernel looked"))
    let began = "Linux version 4.4.0-3.g0567b9b-default (x@y)\n"
    #expect(try !explanation(began + xen).contains("Xen"))
    #expect(try explanation(began + "Hypervisor detected: Xen\n" + xen).contains("Xen PV"))
    #expect(try !explanation(xen.replacing("4.4.0-3", with: "4.17.0-3")).contains("Xen"))
    let azure = try Self.text("96-wx-azure-4.4.txt")
    #expect(try explanation(azure).contains("known of that release: Hyper-V's hypercall page"))
    let change =
      "CPA detected W^X violation: 0000000000000064 -> 0000000000000067 range: "
      + "0xffff888000010000 - 0xffff888000010fff PFN 10\n"
      + "CPU: 0 PID: 30 Comm: kworker/0:2 Tainted: G O 6.1.38 #1\n"
    #expect(try !explanation("Linux version 6.1.38 (x@y)\n" + change).contains("Xen"))
    #expect(
      try explanation("Linux version 6.1.38 (x@y)\nBooting kernel on Xen\n" + change).contains(
        "a false alarm of a Xen PV guest"))
    // Of 32 bits the PCI BIOS' area is expected: a note.
    let old = "Linux version 4.18.0 (x@y)\nx86/mm: Found insecure W+X mapping at address "
    for (address, severity) in [("c00a0000", Severity.note), ("c0100000", .warning)] {
      let judged = try #require(Self.judged(old + "\(address)/0x\(address)\n").first)
      #expect(judged.severity == severity && judged.isExpected == (severity == .note))
    }
  }

  /// What the command line tells is a cause only where it stands there.
  @Test func causesOfTheCommandLine() throws {
    let line = "x86/mm: Found insecure W+X mapping at address 0xffffffffc0000000\n"
    func boot(_ release: String, _ option: String) -> String {
      "[    0.000000] Linux version \(release) (x@y)\n"
        + "[    0.000000] Command line: root=/dev/sda \(option)\n[    1.000000] "
    }
    #expect(try explanation(boot("6.12.1", "rodata=off") + line).contains("leaves its text"))
    #expect(try !explanation(boot("6.12.1", "quiet") + line).contains("known of that release"))
    #expect(try !explanation(line).contains("known of that release"))
    #expect(try explanation(boot("5.2.0", "ftrace=function") + line).contains("trampolines"))
    #expect(try !explanation(boot("5.10.0", "ftrace=function") + line).contains("trampolines"))
    let zero = "CPA: called for zero pte. vaddr = 0 cpa->vaddr = 0\n"
    #expect(try explanation(boot("6.1.0", "") + zero).contains("memfd_secret"))
    #expect(try !explanation(boot("5.10.0", "") + zero).contains("memfd_secret"))
    #expect(
      try !explanation(boot("6.1.0", "") + zero.replacing("= 0", with: "= f7d5b000"))
        .contains("memfd_secret"))
  }

  /// Areas by the layout of the release.
  @Test(
    arguments: [
      ("F20-log-alone.txt", "modules"), ("29-wx-hyperv-efi-4.4-docker.txt", "direct map"),
      ("F02-address-cut-at-80-columns.txt", "kernel image"),
      ("59-kvm-garbage-pte-below-2M-2.6.20.txt", "direct map"),
      ("79-hibernate-inverted-pte.txt", nil), ("15-simple-pebs-user-fault-4.13.txt", "direct map"),
      ("21-smep-kernel-text-user-cr3-4.15.txt", "kernel image"),
      ("55-bad-pte-noapic-2.6.txt", "direct map"), ("95-wx-xen-dom0-4.4.txt", "direct map"),
      ("96-wx-azure-4.4.txt", "vmalloc"),
      ("19-syzbot-nx-2M-5.2.txt", "direct map"), ("01-corrupted-pt-shm-2.6.35.txt", "user space"),
      ("60-tdx-unaccepted-memory-6.19.txt", "direct map"),
    ] as [(String, String?)])
  func areas(_ name: String, _ area: String?) throws {
    #expect(try first(name).area == area)
  }

  /// With tables both are judged, and that they differ is said.
  @Test(
    arguments: [
      ("F02-address-cut-at-80-columns.txt", "read-only", FaultJudgement.Entries.same),
      ("F03-pte-on-the-next-line-differs.txt", "allowed", .different),
      ("F04-entry-a-line-pte-differs.txt", "allowed", .different),
      ("F23-dmesg-x-prefix.txt", "read-only", .same),
    ])
  func besideTables(_ name: String, _ cause: String, _ entries: FaultJudgement.Entries) throws {
    let subject = Subject(image: try Samples.image("faults"))
    let fault = try #require(LogReports(try Self.text(name)).faults.first)
    let judged = subject.judge(fault)
    #expect(judged.cause.rawValue == cause && judged.judgedBy == .report)
    #expect(judged.tablesCause == .readOnly && judged.tablesLevel == "pte")
    #expect(judged.entries == entries)
    #expect(judged.explanation.contains("by the tables") == (entries == .different))
  }

  /// The processor line names the release of a log that begins after the boot's first line.
  @Test func aLogOfAnotherReleaseIsRefused() throws {
    var subject = Subject(image: try Samples.image("faults"))
    let reason = subject.take(
      log: try Self.text("F05-log-of-another-release.txt"), userRelease: nil)
    #expect(reason?.contains("5.2.0-rc5+") == true)
  }

  /// The log alone tells what the image tells; the two of user memory, too.
  @Test func theTenFaultsOfTheSample() throws {
    let alone = Self.judged(try Samples.text("faults", "kernel.log")).filter {
      !$0.fault.kind.isOfMapping
    }
    #expect(
      alone.map(\.cause) == [
        .readOnly, .readOnly, .readOnly, .noExecute, .noExecute, .noExecute, .notPresent,
        .notPresent, .userPage, .userPage,
      ])
    var subject = Subject(image: try Samples.image("faults"))
    let log = try #require(subject.log?.value)
    #expect(subject.take(log: log, userRelease: nil) == nil)
    let byImage = subject.faults.filter { !$0.fault.kind.isOfMapping }
    #expect(alone.prefix(8).map(\.cause) == byImage.prefix(8).compactMap(\.tablesCause))
    #expect(alone.prefix(6).map(\.level) == byImage.prefix(6).map(\.tablesLevel))
    #expect(alone.allSatisfy { $0.agreement == .agrees && $0.judgedBy == .report })
  }

  // MARK: - What is no report

  @Test(arguments: Samples.healthy)
  func aHealthyLogHoldsNoReport(_ sample: String) throws {
    let faults = Self.judged(try Samples.text(sample, "kernel.log"))
    // What the kernel's own test of CPA prints is said to be expected.
    #expect(faults.allSatisfy { ($0.severity ?? .note) == .note })
    #expect(faults.count { $0.fault.kind == .writeExecute } == 1)
    #expect(faults.allSatisfy { [.writeExecute, .protected].contains($0.fault.kind) })
  }

  @Test(arguments: [
    "cat[123]: segfault at 7f0000001000 ip 0000000000401000 sp 00007ffc error 4 in cat[400000+1000]",
    "traps: cat[1] general protection fault ip:401000 sp:7ffc error:0 in cat[400000+1000]",
    "This fixes BUG: unable to handle page fault for address in foo()",
    "| BUG:unable_to_handle_page_fault_for_address | 0          | 5          |",
    "FYI, we noticed BUG:unable_to_handle_page_fault_for_address due to commit (built with gcc)",
    "a NULL pointer dereference in foo(), which should be fixed",
    "CPA ffff88001d54e000: bad pte 1d4000e3", "a bad pte is what it was",
    "x86/mm: Checked W+X mappings: passed, no W+X pages found.",
  ])
  func noReport(_ line: String) {
    #expect(LogReports(line).all.isEmpty)
    #expect(LogReports("[   12.345678] " + line).all.isEmpty)
  }

  // MARK: - Wrapped

  /// What of a report must survive every wrapping.
  private static func essence(_ text: String) -> [String] {
    LogReports(text).all.filter { $0.kind != .protected }.map { fault in
      let entries = fault.entries.map { "\($0.name)=\(String($0.value, radix: 16))" }
      return [
        fault.kind.rawValue, fault.address.map { String($0, radix: 16) } ?? "-",
        fault.errorCode.map { String($0, radix: 16) } ?? "-", fault.instruction ?? "-",
        entries.joined(separator: ","), fault.access?.rawValue ?? "-",
      ].joined(separator: " ")
    }
  }

  /// Lines of at most `column` characters: cut anywhere, as a console does, or between words, as a
  /// mailer does.
  private static func wrap(_ line: Substring, at column: Int, anywhere: Bool) -> [Substring] {
    var pieces: [Substring] = []
    var rest = line
    while rest.count > column {
      let limit = rest.index(rest.startIndex, offsetBy: column)
      if anywhere {
        pieces.append(rest[..<limit])
        rest = rest[limit...]
      } else {
        let stamp = rest.firstIndex(of: "]") ?? rest.startIndex
        guard let space = rest[..<limit].lastIndex(of: " "), space > rest.index(after: stamp) else {
          break
        }
        pieces.append(rest[..<space])
        rest = rest[rest.index(after: space)...]
      }
    }
    return pieces + [rest]
  }

  private static func quotedPrintable(_ line: Substring) -> String {
    let encoded = line.replacing("=", with: "=3D")
    return wrap(encoded[...], at: 75, anywhere: true).joined(separator: "=\n")
  }

  /// Each way of posting, and the number of its lines that are cut.
  private static let postings: [(name: String, make: @Sendable (Substring) -> [String])] = {
    var all: [(name: String, make: @Sendable (Substring) -> [String])] = [
      ("quoted-printable", { [quotedPrintable($0)] }),
      ("HTML", { ["&gt; " + $0.replacing("<", with: "&lt;").replacing(">", with: "&gt;")] }),
      ("syslog", { ["Jun 30 11:11:51 host kernel: \($0)"] }),
      ("dmesg -x", { ["kern  :alert : \($0)"] }), ("grep -H", { ["logs/kernel.log:\($0)"] }),
      ("returns", { ["\($0)\r"] }),
    ]
    for column in [60, 66, 72, 79, 80, 81, 97, 132] {
      for quoting in ["", "> ", "> > "] {
        for anywhere in [true, false] {
          let name = "\(quoting)at \(column)\(anywhere ? "" : ", between words")"
          all.append(
            (
              name,
              { line in
                wrap(line, at: column, anywhere: anywhere).map { quoting + String($0) }
              }
            ))
        }
      }
    }
    return all
  }()

  /// The lines of a sample's log from its first report on, stamped as on a console.
  private static func excerpt(_ sample: String) throws -> [Substring] {
    let lines = try Samples.text(sample, "kernel.log").split(separator: "\n")
    let marks = ["BUG: ", "W+X", "NX-protected", "W^X"]
    let first = lines.firstIndex { line in marks.contains { line.contains($0) } } ?? 0
    return lines[first...].filter { !$0.contains("CPA  protect") }.map { $0.dropFirst(3) }
  }

  @Test(arguments: Samples.all)
  func everyWrappingGivesTheSameReports(_ sample: String) throws {
    let lines = try Self.excerpt(sample)
    let plain = Self.essence(lines.joined(separator: "\n"))
    #expect(!plain.isEmpty)
    // Three samples in all postings; of the others' one in six tells as much.
    let isWhole = ["faults", "writable-executable", "healthy"].contains(sample)
    for (index, posting) in Self.postings.enumerated() where isWhole || index % 6 == 0 {
      let text = lines.flatMap(posting.make).joined(separator: "\n")
      #expect(Self.essence(text) == plain, "\(posting.name)")
    }
  }

  /// A log that carries no stamps, as syzbot posts it.
  @Test(arguments: ["19-syzbot-nx-2M-5.2.txt", "51-kasan-shadow-hole-5.8.txt", "91-syzbot-pm.txt"])
  func wrappedWithoutStamps(_ name: String) throws {
    let text = try Self.text(name)
    let plain = Self.essence(text)
    for column in [60, 66, 72, 80] {
      let lines = text.split(separator: "\n").flatMap {
        Self.wrap($0, at: column, anywhere: true)
      }
      #expect(Self.essence(lines.joined(separator: "\n")) == plain, "at \(column)")
    }
  }

  // MARK: - Size

  /// A long log costs one pass, a few seconds: were it quadratic, it would take half an hour.
  @Test(.timeLimit(.minutes(5))) func aLongLogIsLinear() throws {
    let report = try Self.text("17-nx-rodata-n-5.2.txt")
    let filler = String(
      repeating: "[    1.000000] pci 0000:00:01.0: nothing to see here\n", count: 500)
    let read = LogReports(String(repeating: filler + report, count: 300))
    #expect(read.all.count + read.leftOut == 300)
  }
}
