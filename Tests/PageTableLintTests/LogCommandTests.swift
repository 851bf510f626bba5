import Foundation
import PageTableLint
import Support
import Testing

/// What the commands do with logs.
@Suite struct LogCommandTests {
  private static let oops = """
    [   12.000000] BUG: unable to handle page fault for address: ffffffff81e01230
    [   12.000001] #PF: supervisor write access in kernel mode
    [   12.000002] #PF: error_code(0x0003) - permissions violation
    [   12.000003] PGD 2a31067 P4D 2a31067 PUD 2a32063 PMD 80000000016001e1
    [   12.000004] Oops: Oops: 0003 [#1] PREEMPT SMP NOPTI

    """

  /// Each status of a run of a shell's line, with its output; `$0` is the program.
  private func shell(_ line: String) throws -> (status: Int32, output: String) {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let result = try Samples.run(["bash", "-c", "cd \"$1\" && \(line)", program, Samples.root.path])
    return (result.status, String(decoding: result.output, as: UTF8.self))
  }

  @Test(arguments: [[], ["--format", "json"]])
  func walkFaultIsFault(_ options: [String]) throws {
    for path in ["samples/faults/memory.elf", "samples/logs/F20-log-alone.txt"] {
      let fault = try ProgramRun(["fault", path] + options)
      let walk = try ProgramRun(["walk", "--fault", path] + options)
      #expect(fault.status == 1 && walk.status == 1)
      #expect(fault.output == walk.output && fault.errors == walk.errors)
      #expect(!fault.output.isEmpty)
    }
    let both = try ProgramRun(["walk", "--fault", "samples/faults/memory.elf", "0x0"])
    #expect(both.status == 2 && both.errors.contains("takes no addresses"))
  }

  @Test func aLogInTheSecondPlaceIsToldToComeFirst() throws {
    let run = try ProgramRun(
      ["fault", "samples/faults/memory.elf", "samples/logs/F20-log-alone.txt"])
    #expect(run.status == 2 && run.output.isEmpty)
    #expect(run.errors.contains("give the log first, then the dump or the image"))
  }

  /// A dump's other lines are its log, whether it comes from a file or a pipe.
  @Test func aDumpCarriesItsLog() throws {
    try Samples.withTemporaryFile { path in
      let dump = try Samples.text("healthy", "kernel.txt")
      try Data((Self.oops + dump).utf8).write(to: URL(filePath: path))
      for input in [path, "-"] {
        let pipe = input == "-" ? "< \(path)" : ""
        let fault = try shell("\"$0\" fault \(input) \(pipe)")
        #expect(fault.status == 1)
        #expect(fault.output.hasPrefix("log line 1: BUG: unable to handle page fault"))
        #expect(fault.output.contains("why: a write to a read-only page: the pmd has no RW"))
        let check = try shell("\"$0\" check --no-config --format json \(input) \(pipe)")
        #expect(check.status == 1)
        #expect(check.output.contains("\"rule\" : \"PT801\""))
        #expect(check.output.contains("\"reports\" : 1"))
      }
      try Data(dump.utf8).write(to: URL(filePath: path))
      let healthy = try shell("\"$0\" check --no-config --format json - < \(path)")
      #expect(healthy.status == 0 && healthy.output.contains("\"reports\" : 0"))
    }
  }

  /// Words of a log do not make one.
  @Test(arguments: ["README.md", "docs/guide/triage-a-crash.md", "docs/rules/PT801.md"])
  func textWithoutALogIsRefused(_ path: String) throws {
    let run = try ProgramRun(["check", "--log", path, "samples/healthy/kernel.txt"])
    #expect(run.status == 2 && run.output.isEmpty)
    #expect(run.errors.contains("no kernel log in it"))
  }

  // MARK: - The self-test under Xen

  private static let failing = """
    CPA self-test:
     4k 3072 large 512 gb 0 x 900[ffff880000000000-ffff880000fff000] miss 0
     4k 5072 large 508 gb 0 x 900[ffff880000000000-ffff880000fff000] miss 0
    CPA ffff880012345000: bad pte after revert ENTRY
     4k 5072 large 508 gb 0 x 900[ffff880000000000-ffff880000fff000] miss 0
    NOT PASSED. Please report.

    """

  private func cpa(_ log: String, _ options: [String] = []) throws -> (status: Int32, text: String)
  {
    try Samples.withTemporaryFile { path in
      try Data(log.utf8).write(to: URL(filePath: path))
      let run = try ProgramRun(["cpa", path, "--release", "2.6.26"] + options)
      return (run.status, run.output)
    }
  }

  @Test func assumptionsCountForALogAlone() throws {
    let log = Self.failing.replacing("ENTRY", with: "12345063")
    let open = try cpa(log)
    #expect(open.status == 3 && open.text.contains("give --assume pge="))
    let xen = try cpa(log, ["--assume", "xen=on"])
    #expect(xen.status == 0 && xen.text.contains("Verdict: false-alarm"))
    #expect(xen.text.contains("request-masked"))
    let bare = try cpa(log, ["--assume", "xen=off", "--assume", "pge=on"])
    #expect(bare.status == 1 && bare.text.contains("Verdict: real-failure"))
    #expect(try cpa(log, ["--assume", "pge=off"]).status == 0)
  }

  /// The log says so by its own lines, or by what Xen alone sets in an entry.
  @Test func theLogTellsXen() throws {
    let plain = Self.failing.replacing("ENTRY", with: "12345063")
    let marked = Self.failing.replacing("ENTRY", with: "0010000012345067")
    for log in [
      "[ 0.1] Booting kernel on Xen\n" + plain, "[ 0.1] Hypervisor detected: Xen PV\n" + plain,
      marked,
    ] {
      let run = try cpa(log)
      #expect(run.status == 0 && run.text.contains("Verdict: false-alarm"))
    }
    #expect(try cpa(marked).text.contains("note: The entry of 0xffff880012345000 has bit 52"))
    #expect(try cpa("[ 0.1] Booting kernel on Xen HVM\n" + plain).status == 3)
    #expect(try cpa("[ 0.1] Hypervisor detected: Xen HVM\n" + plain).status == 3)
  }

  /// Of a log whose head is lost, the printed entries say whose kernel it is.
  @Test func theLastLinesOfALogTellXen() throws {
    let lines = (0..<45).map {
      "[ 31.\($0 + 100)] CPA ffff888008\($0 + 100)000: bad pte after revert 8010000008\($0 + 100)067\n"
    }
    let end = """
      [ 31.9]  4k 32865 large 0 gb 0 x 2365[ffff888000000000-ffff888007fff000] miss 0
      [ 31.9] NOT PASSED. Please report.

      """
    let run = try cpa(lines.joined() + end)
    #expect(run.status == 0 && run.text.contains("45 addresses: false-alarm, request-masked"))
    let native = lines.map { $0.replacing(" 80100000", with: " 80000000") }
    #expect(try cpa(native.joined() + end).status == 3)
  }

  /// A write to a page of the direct map that is read-only: a page table, where the kernel is Xen's.
  @Test func aWriteToAPageTableUnderXenIsExplained() throws {
    let oops = """
      [   31.1] BUG: unable to handle page fault for address: ffff88800fd6c3a8
      [   31.1] #PF: supervisor write access in kernel mode
      [   31.1] #PF: error_code(0x0003) - permissions violation
      [   31.1] PGD 3a0c067 P4D 3a0c067 PUD 3a10067 PMD 7f067 PTE MARKfd6c025
      [   31.1] Oops: 0003 [#1] PREEMPT SMP NOPTI
      [   31.1] RIP: CS:native_set_pte+0x1d/0x40

      """
    func explanation(_ mark: String, _ segment: String) throws -> String {
      let text = oops.replacing("MARK", with: mark).replacing("CS:", with: "\(segment):")
      return try Samples.withTemporaryFile { path in
        try Data(text.utf8).write(to: URL(filePath: path))
        return try ProgramRun(["fault", path]).output
      }
    }
    let words = "under Xen page tables look so"
    #expect(try explanation("800000000", "e030").contains(words))
    #expect(try explanation("801000000", "0010").contains(words))
    #expect(try !explanation("800000000", "0010").contains(words))
  }

  /// `check` of a log alone judges its self-test as `cpa` does, and fails or stays open as it does.
  @Test(arguments: [
    ("cpa-2008", "false-alarm"), ("cpa-pti", "false-alarm"), ("real-failure", "real-failure"),
    ("healthy", "passed"),
  ])
  func checkJudgesTheSelfTest(_ sample: String, _ verdict: String) throws {
    try judge("samples/\(sample)/kernel.log", verdict, [])
  }

  @Test func checkLeavesTheSelfTestOpen() throws {
    try Samples.withTemporaryFile { path in
      let log = Self.failing.replacing("ENTRY", with: "12345063")
      try Data(log.utf8).write(to: URL(filePath: path))
      try judge(path, "undetermined", ["--release", "2.6.26"])
      try judge(path, "false-alarm", ["--release", "2.6.26", "--assume", "xen=on"])
      let bare = ["--assume", "xen=off", "--assume", "pge=on"]
      try judge(path, "real-failure", ["--release", "2.6.26"] + bare)
      // No more than its name.
      try Data("[    0.1] Linux version 6.1.0\n[    1.2] CPA self-test:\n".utf8)
        .write(to: URL(filePath: path))
      let name = try ProgramRun(["check", "--no-config", path])
      #expect(name.status == 0 && !name.output.contains("CPA self-test"))
    }
  }

  private func judge(_ log: String, _ verdict: String, _ options: [String]) throws {
    let check = try ProgramRun(["check", "--no-config", "--only", "PT301"] + options + [log])
    let cpa = try ProgramRun(["cpa"] + options + [log])
    #expect(cpa.output.contains("Verdict: \(verdict)"))
    #expect(check.output.contains("CPA self-test: \(verdict)"))
    #expect(check.status == cpa.status)
    #expect(check.output.contains("PT301 cpa-not-shattered") == (verdict == "real-failure"))
    #expect(check.output.contains("INCOMPLETE") == (verdict == "undetermined"))
    let json = try ProgramRun(
      ["check", "--no-config", "--format", "json", "--only", "PT301"] + options + [log])
    #expect(json.output.contains("\"complete\" : \(verdict != "undetermined")"))
    #expect(json.output.contains("\"verdict\" : \"\(verdict)\""))
  }

  /// A console's log with a dump in it: the self-test is judged by the dump.
  @Test func aDumpCarriesItsSelfTest() throws {
    try Samples.withTemporaryFile { path in
      let log = try Samples.text("cpa-2008", "kernel.log")
      let dump = try Samples.text("cpa-2008", "kernel.txt")
      try Data((log + dump).utf8).write(to: URL(filePath: path))
      let run = try ProgramRun(["check", "--no-config", path])
      #expect(run.output.contains("CPA self-test: false-alarm, 201 addresses"))
    }
  }
}
