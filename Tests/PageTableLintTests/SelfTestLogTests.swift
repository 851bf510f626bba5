import Testing

import PageTableLint

@Suite struct SelfTestLogTests {
  static let failing = """
    [   32.956015] CPA self-test:
    [   32.958822]  4k 2048 large 508 gb 0 x 2556[ffff880000000000-ffff88003fe00000] miss 0
    [   32.964000] CPA ffff880011345000: bad pte 112000e3
    [   32.968000] CPA ffff880011345000: unexpected level 2
    [   32.972000] CPA ffff880022456000: bad pte 224000e3
    [   32.976000] CPA ffff880022456000: unexpected level 2
    [   33.000000]  4k 4096 large 504 gb 0 x 2556[ffff880000000000-ffff88003fe00000] miss 0
    [   33.100000]  4k 5120 large 502 gb 0 x 2556[ffff880000000000-ffff88003fe00000] miss 7
    [   33.200000] NOT PASSED. Please report.
    """

  private func plain(_ text: String) -> [SelfTestRun] {
    // Compare without what depends on the layout.
    SelfTestLog.parse(text).map { run in
      var run = run
      run.lines = 1...1
      for index in run.statistics.indices { run.statistics[index].line = 1 }
      for index in run.failures.indices {
        run.failures[index].lines = run.failures[index].lines.map { _ in 1 }
        run.failures[index].changeLine = run.failures[index].changeLine.map { _ in 1 }
      }
      for index in run.errors.indices { run.errors[index].line = 1 }
      return run
    }
  }

  @Test func wholeRun() throws {
    let runs = SelfTestLog.parse(Self.failing)
    let run = try #require(runs.first)
    #expect(runs.count == 1)
    #expect(run.hasHeader && run.saidNotPassed && run.result == .failed && run.lines == 1...9)
    #expect(run.statistics.map(\.large) == [508, 504, 502])
    #expect(run.statistics.map(\.line) == [2, 7, 8])
    let last = try #require(run.statistics.last)
    #expect(last.fourK == 5120 && last.gigabyte == 0 && last.executable == 2556)
    #expect(last.first == 0xffff_8800_0000_0000 && last.last == 0xffff_8800_3fe0_0000)
    #expect(last.missed == 7)
    #expect(
      run.failures == [
        SelfTestFailure(
          address: 0xffff_8800_1134_5000, entry: 0x1120_00e3, level: 2,
          kinds: [.badEntry, .unexpectedLevel], lines: [3, 4], changeLine: 4),
        SelfTestFailure(
          address: 0xffff_8800_2245_6000, entry: 0x2240_00e3, level: 2,
          kinds: [.badEntry, .unexpectedLevel], lines: [5, 6], changeLine: 6),
      ])
    #expect(run.statisticsAroundRevert?.before.large == 504)
    #expect(run.statisticsAroundRevert?.after.large == 502)
  }

  @Test func lookOfTheLines() {
    let expected = plain(Self.failing)
    func each(_ change: (Substring) -> String) -> String {
      Self.failing.split(separator: "\n", omittingEmptySubsequences: false).map(change)
        .joined(separator: "\n")
    }
    func bare(_ line: Substring) -> Substring { line.drop { $0 != "]" }.dropFirst(2) }
    let looks: [(String, String)] = [
      ("CRLF", each { $0 + "\r" }),
      ("quoted", each { "> " + $0 }),
      ("quoted thrice", each { "> >> | " + $0 }),
      ("no-break spaces", each { $0.map { $0 == " " ? "\u{a0}" : String($0) }.joined() }),
      ("levels", each { "<6>" + $0 }),
      ("caller", each { $0.prefix(15) + "[    T1] " + bare($0) }),
      ("cpu caller", each { $0.prefix(15) + "[   C0] " + bare($0) }),
      ("syslog", each { "Jun 30 11:11:51 host kernel: " + $0 }),
      ("syslog without stamps", each { "Jun  3 11:11:51 my-host kernel: " + bare($0) }),
      ("iso", each { "2008-06-30T11:11:51.123456+02:00 host kernel: " + $0 }),
      ("wall clock", each { "[Mon Jun 30 11:11:51 2008] " + bare($0) }),
      ("kmsg", each { "6,339,5140900,-;" + bare($0) }),
      ("monotonic journal", each { $0.prefix(15) + "host kernel: " + bare($0) }),
      ("bare", each { String(bare($0)) }),
      ("bare and level", each { "<4>" + bare($0) }),
      ("coloured", each { "\u{1b}[32m\($0.prefix(15))\u{1b}[0m\u{1b}[1m\(bare($0))\u{1b}[0m" }),
      ("NUL", each { "\0\0" + $0 + "\0" }),
      ("blank lines", each { $0 + "\n\n" }),
      ("BOM", "\u{feff}" + Self.failing),
      ("other messages", each { $0 + "\n[   33.0] usb 1-1: new CPA device, level 2\n" }),
      (
        "cpa's own messages",
        each {
          $0
            + "\n<4>[    1.080907] CPA  protect  Rodata RO: 0xffffffff8165f000 - "
            + "0xffffffff8165ffff PFN 165f req 8000000000000123 prevent 0000000000000002"
        }
      ),
      ("one line", Self.failing.split(separator: "\n").joined(separator: " ")),
    ]
    for (name, text) in looks { #expect(plain(text) == expected, "\(name)") }
  }

  @Test func wrappedAtEveryBlank() {
    // Each blank or mark may be where a mailer broke the line, quoted again or not.
    let expected = plain(Self.failing)
    for quote in ["", "> ", ">\u{a0}"] {
      for width in 1...9 {
        let text = Self.failing.split(separator: "\n").map { line in
          let text = String(line)
          var out = quote + text.prefix(15)
          for (index, word) in text.dropFirst(15).split(separator: " ").enumerated() {
            out += index % width == width - 1 || width == 1 ? "\n" + quote + word : " " + word
          }
          return out.replacing("[ffff", with: "[\n\(quote)ffff")
            .replacing("0-ffff", with: "0-\n\(quote)ffff")
        }.joined(separator: "\n")
        #expect(plain(text) == expected, "width \(width), quote \(quote)")
      }
    }
  }

  @Test func everyString() throws {
    let run = try #require(
      SelfTestLog.parse(
        """
        CPA self-test:
         4k 1 large 2 gb 3 x 0[0-0] miss 4
        CPA 17 failed -12
        CPA ffff880000200000: bad pte 0
        CPA ffff880000200000: unexpected level 0
        ffff880000400000 level 2 but not PSE 1063
         4k 1 large 2 gb 3 x 0[0-0] miss 4
        CPA lookup of ffff880000600000 failed
        CPA reverting failed: -22
        CPA ffff880000800000: bad pte after revert 8000000000800363
         4k 1 large 2 gb 3 x 0[0-0] miss 4
        CPA max_pfn_mapped 100 but expected 99
        NOT PASSED. Please report.
        """
      ).first)
    #expect(
      run.errors.map(\.kind) == [
        .request(test: 17, code: -12), .revert(code: -22), .count(mapped: 100, expected: 99),
      ])
    #expect(
      run.failures.map(\.kinds) == [
        [.badEntry, .unexpectedLevel], .notLarge, .lookupFailed, .badEntryAfterRevert,
      ])
    #expect(run.failures[0].entry == 0 && run.failures[0].level == 0)
    #expect(run.failures[1].entry == 0x1063 && run.failures[1].level == 2)
    #expect(run.failures[3].entryAfterRevert == 0x8000_0000_0080_0363)
    #expect(run.statistics.count == 3)
    let poor = SelfTestLog.parse("CPA self-test:\nCPA Cannot vmalloc bitmap\n")
    #expect(poor.first?.errors.map(\.kind) == [.noMemory])
    #expect(poor.first?.result == .incomplete)
  }

  @Test func firstVersions() throws {
    let runs = SelfTestLog.parse(
      """
      CPA exercising pageattr
      CPA mapping 4k 10 large 20 gb 0 x 1[ffff810000000000-ffff810000000000] miss 0
      CPA ffff810000200000 no pte level 3
      CPA mapping 4k 522 large 19 gb 0 x 1[ffff810000000000-ffff810000000000] miss 0
      CPA reverting everything
      CPA mapping 4k 522 large 19 gb 0 x 1[ffff810000000000-ffff810000000000] miss 0
      CPA selftests PASSED
      CPA exercising pageattr
      CPA ffff810000201000: bad pte 2000e3
      CPA ffff810000201000: unexpected level 3
      CPA selftests NOT PASSED. Please report.
      """)
    #expect(runs.map(\.result) == [.passed, .failed])
    #expect(runs.map(\.isEarlyForm) == [true, true])
    #expect(runs[0].statistics.map(\.large) == [20, 19, 19])
    #expect(SelfTestJudge.judge(runs[1]).testBit == .global)
    #expect(SelfTestJudge.judge(runs[1]).verdict == .falseAlarm)
  }

  @Test func passesInOneLog() {
    let ok = """
      CPA self-test:
       4k 1 large 9 gb 0 x 0[0-0] miss 0
       4k 513 large 8 gb 0 x 0[0-0] miss 0
       4k 513 large 8 gb 0 x 0[0-0] miss 0
      """
    let silent = "CPA ffff880000201000: bad pte 200163\nNOT PASSED. Please report.\n"
    #expect(SelfTestLog.parse(ok + "\nok.\n").map(\.result) == [.passed])
    #expect(SelfTestLog.parse(ok).map(\.result) == [.incomplete])
    let both = SelfTestLog.parse(ok + "\nok.\nsomething else\n" + silent)
    #expect(both.map(\.result) == [.passed, .failed])
    #expect(both.map(\.hasHeader) == [true, false])
    #expect(both[1].lines == 7...8)
    // The end of the first pass is lost: the failure still is a later pass's.
    #expect(SelfTestLog.parse(ok + "\n" + silent).map(\.result) == [.incomplete, .failed])
    #expect(SelfTestLog.parse(silent + ok).map(\.result) == [.failed, .incomplete])
    #expect(
      SelfTestLog.parse("NOT PASSED. Please report.").map(\.result) == [.failed])
    // A failure line outranks `ok.`
    #expect(
      SelfTestLog.parse(ok + "\nffff880000400000 level 2 but not PSE 0\nok.").map(\.result)
        == [.failed])
  }

  @Test func cutOff() throws {
    // A log may end anywhere, and nothing before the end may be lost or invented.
    let bytes = Array(Self.failing.utf8)
    var failures = 0
    for length in 0...bytes.count {
      let run = SelfTestLog.parse(String(decoding: bytes[..<length], as: UTF8.self)).first
      let count = run?.failures.count ?? 0
      #expect(count >= failures)
      failures = count
      #expect(run?.result != .passed)
    }
    #expect(failures == 2)
    let noEntry = try #require(
      SelfTestLog.parse("CPA ffff880011345000: bad pte\n[   1.0] usb 1-1: x").first)
    #expect(noEntry.failures.map(\.entry) == [nil] && noEntry.result == .failed)
    let noLevel = try #require(SelfTestLog.parse("CPA ffff880011345000: unexpected level").first)
    #expect(noLevel.failures.map(\.level) == [nil])
    // The beginning may be lost as well.
    let tail = Self.failing.split(separator: "\n").dropFirst(3).joined(separator: "\n")
    let headless = try #require(SelfTestLog.parse(tail).first)
    #expect(headless.statisticsAroundRevert?.after.large == 502)
    #expect(headless.failures.count == 2)
  }

  @Test(arguments: [
    "", "\n\n\r\n", "\0\0\0", "hello", "ok.", "ok.\nok.\n", "CPA", "CPA \nCPA \nCPA",
    "CPA self-test",
    "CPA self-test failure", "[[[[[[", ">>>>>>>", "<<<<<", "[   ", "Jun", "Jun 3", "1,2,3",
    "CPA ffff: good pte 1", "4k 1 large 2 gb", "NOT", "The CPA test attempts to clear it.",
    "Linux version", "Linux version 6.12.0", "Is that\nok.\n", "\u{1b}", "\u{1b}[", "é CPA é: bad",
    "4k 99999999999999999999 large 1 gb 0 x 0[0-0] miss 0",
    "4k 1 large 1 gb 0 x 0[fffffffffffffffff-0] miss 0", "4k -1 large 1 gb 0 x 0[0-0] miss 0",
    "CPA 11111111111111111111111: bad pte 0", "CPA : bad pte", "CPA 1 failed", "level but not PSE",
    "CPA max_pfn_mapped 99999999999999999999999 but expected 1",
  ])
  func noSelfTest(_ text: String) {
    #expect(SelfTestLog.parse(text).isEmpty)
  }

  @Test func hugeNumbers() throws {
    let run = try #require(
      SelfTestLog.parse(
        """
        CPA self-test:
         4k 18446744073709551615 large 18446744073709551615 gb 18446744073709551615 \
        x 18446744073709551615[ffffffffffffffff-ffffffffffffffff] miss 18446744073709551615
        CPA ffffffffffffffff: bad pte ffffffffffffffff
        CPA ffffffffffffffff: unexpected level 99999999999
        CPA fffffffffffffffe: bad pte 11112222333344445
        CPA fffffffffffffffe: unexpected level 99999999999999999999
        CPA fffffffffffffffd: bad pte e3
        CPA fffffffffffffffd: unexpected level 2
        CPA 0: bad pte fffffffffffff0e3
        CPA 0: unexpected level 2
        CPA 9223372036854775807 failed -9223372036854775807
         4k 0 large 18446744073709551615 gb 18446744073709551615 x 0[0-0] miss 0
         4k 0 large 0 gb 0 x 0[0-0] miss 0
        """
      ).first)
    #expect(run.statistics.count == 3 && run.failures.count == 4 && run.errors.count == 1)
    #expect(run.failures[1].entry == nil && run.failures[1].level == nil)
    for release in ["", "2.6.26", "6.12", "99999999999999999999.1.1", "2.6", "v", "…"] {
      for base in [nil, 0, UInt64.max] {
        let evidence = SelfTestJudge.Evidence(userRelease: release, directMapBase: base)
        #expect(SelfTestJudge.judge(run, evidence: evidence).failures.count == 4)
      }
    }
  }

  @Test func garbage() {
    // Mutilate a log in many ways; nothing may trap.
    let bytes = Array((Self.failing + "\n" + Self.failing).utf8)
    var state: UInt64 = 42
    func random(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(below))
    }
    for _ in 0..<300 {
      var mutant = bytes
      for _ in 0..<random(20) { mutant[random(mutant.count)] = UInt8(random(256)) }
      let from = random(mutant.count)
      mutant.removeSubrange(from..<min(mutant.count, from + random(60)))
      let runs = SelfTestLog.parse(String(decoding: mutant, as: UTF8.self))
      #expect(SelfTestJudge.judge(runs).count == runs.count)
    }
  }

  @Test func longLines() {
    let noise = String(repeating: "CPA ", count: 200_000)
    #expect(SelfTestLog.parse(noise).isEmpty)
    #expect(SelfTestLog.parse(String(repeating: "[1.0]", count: 200_000)).isEmpty)
    let run = SelfTestLog.parse(noise + "\n" + Self.failing).first
    #expect(run?.lines == 2...10)
  }

  @Test func release() {
    let warning = """
      \(Self.failing)
      [   33.3] CPU: 0 UID: 0 PID: 25 Comm: pageattr-test Tainted: G        W          6.12.117 #1
      [   33.3] Tainted: [W]=WARN
      """
    #expect(SelfTestLog.parse(warning).first?.release == "6.12.117")
    let boot = "[    0.000000] Linux version 2.6.26-rc8-tip (m@x) #1\n" + Self.failing
    let again = SelfTestLog.parse(boot + "\n" + boot)
    #expect(again.map(\.release) == ["2.6.26-rc8-tip", "2.6.26-rc8-tip"])
    #expect(again.map(\.boot) == [1, 2])
    let old = Self.failing + "\nPid: 1, comm: swapper Not tainted 2.6.27-rc1 #14\n"
    #expect(SelfTestLog.parse(old).first?.release == "2.6.27-rc1")
    let xen = "[ 0.1] Booting paravirtualized kernel on Xen\n" + Self.failing
    #expect(SelfTestLog.parse(xen).first?.isXenGuest == true)
    let hvm = "[ 0.1] Booting paravirtualized kernel on Xen HVM\n" + Self.failing
    #expect(SelfTestLog.parse(hvm).first?.isXenGuest == false)
  }
}
