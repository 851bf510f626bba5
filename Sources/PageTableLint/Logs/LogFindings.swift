internal import KernelImages
internal import PageTables

/// Reports of the log as findings: family 8.
extension Rule {
  /// A finding for each report of some kinds.
  static func reports(
    _ rule: Rule, _ subject: Subject, of kinds: Set<Fault.Kind>,
    help: (FaultJudgement) -> String
  ) -> [Finding] {
    subject.looking(at: subject.told).filter { kinds.contains($0.fault.kind) }
      .filter { judged in
        guard let range = subject.range else { return true }
        return judged.address.map(range.contains) ?? false
      }
      .map { Finding(rule, report: $0, of: subject, help: help($0)) }
  }
}

extension Rule.Need {
  /// Its lines are judged when the log is taken.
  static let reports = Rule.Need(
    "a kernel log", "needs a kernel log: give --log", isOfLogs: true
  ) { $0.logIsJudged }
}

extension Subject {
  /// Judges the reports of the log of these tables' boot.
  mutating func takeReports(_ log: LogReports) {
    logIsJudged = true
    panic = log.panic
    logFacts = log.facts
    takeFacts(of: log)
    takeRegisters()
    faultsLeftOut = log.leftOut
    tasks = tasks(for: log)
    faults = log.faults.map { judge($0) }
  }

  /// What a log tells of its kernel, where nothing better does.
  mutating func takeFacts(of log: LogReports) {
    func fact(_ words: String?) -> Fact<String>? { words.map { Fact($0, "the log") } }
    facts.commandLine = facts.commandLine ?? fact(log.facts.commandLine)
    facts.taint = facts.taint ?? fact(log.facts.taint)
  }

  /// The reports of the log without what every boot prints.
  package var told: [FaultJudgement] { faults.filter { $0.fault.kind != .protected } }
}

extension FaultJudgement {
  /// A log alone may hold reports of kernels of several formats.
  func mode(of subject: Subject) -> TableFormat {
    subject.isLogAlone ? fault.mode : subject.mode
  }

  /// `page fault: a write to a read-only page: the pte has no RW`; the address is the place's.
  var message: String { "\(fault.kind.inWords): \(explanation)" }
}

extension Fault.Kind {
  var inWords: String {
    switch self {
    case .pageFault: "page fault"
    case .generalProtection: "general protection fault"
    case .corruptedTable: "corrupted page table"
    case .badEntry: "bad entry"
    case .badPageMap: "bad page map"
    case .badPageState: "bad page state"
    case .badCounter: "bad rss counter"
    case .insecureMapping: "insecure W+X mapping"
    case .userExecutable: "non-UXN mapping"
    case .externalAbort: "external abort"
    case .writeExecute: "W^X violation"
    case .conflict: "CPA conflict"
    case .protected: "CPA protection"
    case .zeroEntry: "CPA without an entry"
    }
  }
}

// MARK: - One page, one finding

extension [Judged] {
  /// Without the reports of pages that a rule of the tables finds: its finding has their lines as
  /// evidence.
  func takingReports(of subject: Subject) -> [Judged] {
    let ofTables = filter { $0.report == nil }
    return filter { judged in
      judged.report.map { report in !ofTables.contains { $0.takes(report) } } ?? true
    }.map { judged in
      var judged = judged
      judged.evidence += judged.lines(of: subject.faults)
      return judged
    }
  }
}

extension Judged {
  /// What the log says of the page that it is about; the first line of each kind.
  fileprivate func lines(of reports: [FaultJudgement]) -> [Evidence] {
    guard finding.report == nil else { return [] }
    var kinds: [Fault.Kind] = []
    return reports.compactMap { report in
      guard !kinds.contains(report.fault.kind), takes(report) else { return nil }
      kinds.append(report.fault.kind)
      return .logReport(report.fault.shortQuote)
    }
  }

  /// Whether it is about a page that a report names, and no less grave where the report is of an
  /// access: a note about a whole area must not hide an oops.
  ///
  /// What the kernel refused to make writable says something of findings of protection only.
  fileprivate func takes(_ report: FaultJudgement) -> Bool {
    guard finding.isAtPage(of: report) else { return false }
    guard report.fault.kind.isOfMapping else {
      return suppression == nil && report.severity.map { severity >= $0 } ?? true
    }
    return report.fault.kind != .protected || finding.rule.id.hasPrefix("PT0")
  }
}

extension Finding {
  fileprivate func isAtPage(of report: FaultJudgement) -> Bool {
    guard table == .kernel, !rule.id.hasPrefix("PT9"), let address = report.address else {
      return false
    }
    let last = max(address, report.fault.last ?? address)
    guard hull?.overlaps(address...last) == true else { return false }
    return extents.contains { $0.overlaps(address...last) }
  }
}
