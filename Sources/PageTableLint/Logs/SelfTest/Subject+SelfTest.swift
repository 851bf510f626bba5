internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Subject {
  /// What the tables tell the judge of a self-test.
  ///
  /// A log alone has none: there, only what the user says of the kernel counts.
  package func evidence(userRelease: String?) -> SelfTestJudge.Evidence {
    if isLogAlone {
      return SelfTestJudge.Evidence(
        userRelease: userRelease, pti: facts.pti?.value, pge: facts.pge?.value,
        xen: facts.xen?.value)
    }
    let table = kernel
    let mode = mode
    return SelfTestJudge.Evidence(
      userRelease: userRelease, imageRelease: facts.release?.value,
      directMapBase: facts.directMap?.value, pti: facts.pti?.value, pge: facts.pge?.value,
      xen: facts.xen?.value,
      tables: SelfTestJudge.Tables { address in
        guard let run = table.space.run(at: address), run.isLeaf else { return nil }
        let span = mode.level(Int(max(1, run.level))).span
        let flags = flags(at: address, in: run, of: table)
        return SelfTestJudge.Tables.Leaf(
          entry: run.physical(of: address & ~(span - 1), span: span).map { $0 | flags },
          isGlobal: run.flags & mode.global != 0, isLarge: run.level > 1)
      })
  }

  /// Judges the self-tests that an input's own lines hold; one with no more than its name is none.
  mutating func judgeSelfTests(_ runs: [SelfTestRun], userRelease: String? = nil) {
    if let reason = isLogAlone ? nil : refuses(runs) {
      logRefusal = LogRefusal(path: path, reason: "it is of another boot: \(reason)")
      return
    }
    selfTests = SelfTestJudge.judge(
      runs.filter(\.isMoreThanItsName), evidence: evidence(userRelease: userRelease))
  }

  /// Which failures of a self-test nothing here decides; nil where there are none.
  var openSelfTest: String? {
    let open = selfTests.reduce(0) { $0 + $1.failures.count { $0.verdict == .undetermined } }
    guard open > 0 else { return nil }
    return "the CPA self-test failed at \(open) addresses that cannot be judged: "
      + "ptdump-lint cpa says what would decide it"
  }

  /// Whether all was seen, and all of it could be judged.
  var isJudgedWhole: Bool { isComplete && openSelfTest == nil }

  /// Why a log's self-test is of another boot than these tables; nil where nothing speaks against.
  package func refuses(_ runs: [SelfTestRun]) -> String? {
    for run in runs {
      if let release = run.release, let mine = facts.release?.value, release != mine {
        return "the log is of release \(release), the tables of \(mine)"
      }
      guard let base = facts.directMap?.value else { continue }
      // A leaf of the direct map lies behind its base, within the memory that is mapped.
      let end = directMapEnd ?? base &+ (facts.maxPfnMapped?.value ?? 1 << 34) &* 4096
      let addresses = run.failures.map(\.address) + run.statistics.map(\.first).filter { $0 != 0 }
      if let stranger = addresses.first(where: { $0 < base || $0 >= end }) {
        return "the log's direct map holds \(stranger.address), that of the tables starts at "
          + base.address
      }
    }
    return nil
  }

  /// Judges the self-tests and the faults of a log against these tables, unless it is of another boot.
  ///
  /// - Returns: why the log was refused; nil where it was taken.
  package mutating func take(log: String, userRelease: String?) -> String? {
    take(GivenLog(log.utf8.span, beside: self.log?.value), userRelease: userRelease)
  }

  /// The same with a log that was read with regard to the input's own.
  package mutating func take(_ given: GivenLog, userRelease: String?) -> String? {
    if let reason = given.contradiction { return reason }
    let log = given.text
    if self.log?.value != log, let reason = contradiction(of: log) { return reason }
    let runs = SelfTestLog.parse(log)
    let reported = LogReports(log)
    if let reason = refuses(runs) ?? refuses(reported) { return reason }
    if self.log?.value != log { self.log = Fact(log, "--log") }
    if text != nil, facts.release == nil, let release = reported.release {
      facts.release = Fact(release, "the log")
    }
    if facts.xen == nil, reported.facts.isXenGuest == true { facts.xen = Fact(true, "the log") }
    takeReports(reported)
    selfTests = SelfTestJudge.judge(runs, evidence: evidence(userRelease: userRelease))
    return nil
  }
}
