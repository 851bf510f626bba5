internal import PageTables

/// Puts the reports of a log together from its messages.
struct ReportParser: LogMessageConsumer {
  private static let kept = 1000

  private var reports = LogReports(empty: ())
  /// For each caller the report that its next messages may belong to.
  private var open: [String: Int] = [:]
  /// A hint stands before the report's first line.
  private var hints: [String: String] = [:]
  /// Whether the kernel tests CPA on its own text, as CONFIG_CPA_DEBUG has it do while it boots.
  ///
  /// Source: `set_kernel_text_rw` and `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  private var isTesting = false
  /// For each open report the values of CR2 that followed it, as printed.
  private var faultAddresses: [Int: [String]] = [:]

  mutating func take(_ message: LogMessage) {
    let text = message.text
    let words = LogWords(text)
    let caller = message.caller ?? ""
    if text.hasPrefix("Linux version ") {
      beginBoot()
      reports.facts.take(text)
      return
    }
    if ReportHeader.isOfChange(words) {
      if let fault = ReportHeader.change(message, words) { add(fault, caller: caller) }
      return
    }
    reports.facts.take(text)
    if text.hasPrefix("Testing CPA: ") { isTesting = text.mentions(": undo") }
    if text.mentions("NX-protected page") || text.mentions("to execute userspace code") {
      hints[caller] = text.quotable()
      return
    }
    if text.hasPrefix("Kernel panic - not syncing") {
      reports.panic = reports.panic ?? text.quotable()
    }
    for claim in LogReports.claims {
      if claim.ends.contains(where: text.mentions) {
        open[caller] = nil
        if caller.isEmpty || text.mentions("end trace") { open[""] = nil }
      }
      let headers = ReportHeader.headers(of: message, words, claim)
      for header in headers {
        add(header.fault, caller: caller)
        if let index = open[caller] {
          complete(index, words, from: header.end, claim)
        }
      }
      if headers.isEmpty {
        openWithoutHeader(message, words, caller, claim)
        if let index = open[caller] ?? (caller.isEmpty ? nil : open[""]) {
          complete(index, words, from: 0, claim)
        }
      }
    }
  }

  private mutating func beginBoot() {
    if !reports.all.isEmpty { reports.boot += 1 }
    (open, hints, isTesting) = ([:], [:], false)
    reports.leftOut = 0
    reports.panic = nil
    reports.facts = LogFacts()
  }

  /// `Bad pagetable:` or `ESR = ` of a report whose first line is missing.
  private mutating func openWithoutHeader(
    _ message: LogMessage, _ words: LogWords, _ caller: String, _ claim: Claim
  ) {
    guard claim.knowsCommonLines else {
      if open[caller] == nil, open[""] == nil, let fault = Fault(arm64Without: message, words) {
        add(fault, caller: caller)
      }
      return
    }
    guard open[caller] == nil, let end = words.end(of: "Bad pagetable:"),
      let code = ReportHeader.errorCode(words, end)
    else { return }
    var fault = Fault(.corruptedTable, line: message.line, quote: message.text.quotable())
    fault.errorCode = code
    fault.hasOops = true
    add(fault, caller: caller)
  }

  private mutating func add(_ fault: Fault, caller: String) {
    var fault = fault
    fault.boot = reports.boot
    fault.isExpected = isTesting && fault.kind == .writeExecute
    // The warning's own line follows what it says.
    if fault.kind == .zeroEntry, fault.address == nil, reports.all.last?.kind == .zeroEntry {
      return
    }
    if !fault.kind.isOfMapping {
      fault.hint = hints[caller]
      hints[caller] = nil
    }
    open[caller] = nil
    if fault.kind == .protected || fault.kind == .conflict {
      // A line a page, of the kernel image and of the direct map in turn: one range each.
      for index in reports.all.indices.suffix(2) where reports.all[index].kind == fault.kind {
        let other = reports.all[index]
        if other.last.map({ $0 &+ 1 }) == fault.address
          || (other.address == fault.address && other.last == fault.last)
        {
          reports.all[index].last = fault.last
          return
        }
      }
    }
    guard reports.all.count < Self.kept else {
      reports.leftOut += 1
      return
    }
    reports.all.append(fault)
    if !fault.kind.isOfMapping { open[caller] = reports.all.count - 1 }
  }

  private mutating func complete(_ index: Int, _ words: LogWords, from: Int, _ claim: Claim) {
    reports.all[index].complete(words, from: from, claim)
    for end in words.places(after: "CR2:") {
      faultAddresses[index, default: []].append(words.number(at: end).digits)
    }
  }

  /// The reports, without those that turned out to be none.
  consuming func finished() -> LogReports {
    for (index, digits) in faultAddresses {
      reports.all[index].repairAddress(by: digits)
    }
    reports.all.removeAll { !$0.isConfirmed }
    // Reports that lost the line say nothing of their tables; those of a kernel are of one format.
    for index in reports.all.indices
    where reports.all[index].isArm64 && reports.all[index].arm64Format == nil {
      reports.all[index].arm64Format = reports.facts.arm64Format
    }
    // Where one pointer is hashed, all are.
    if reports.all.contains(where: { $0.kind == .badEntry && $0.isHashed }) {
      for index in reports.all.indices where reports.all[index].kind == .badEntry {
        if reports.all[index].address != nil { reports.all[index].isHashed = true }
        reports.all[index].address = nil
      }
    }
    return reports
  }
}

extension LogReports {
  fileprivate init(empty: Void) {}
}
