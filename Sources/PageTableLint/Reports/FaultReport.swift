internal import KernelImages
internal import PageTables

extension JSONReport {
  struct FaultRecord: Encodable {
    let input, line: Int
    let kind, report: String
    let address, last, errorCode, access, instruction, hint: String?
    let cause: String?
    let level: String?
    let reported: [String: String]?
    let judgedBy, tablesCause, tablesLevel: String?
    let agreement, entries, explanation: String
    let area, symbol, process, tableOwner: String?

    init(_ judged: FaultJudgement, input: Int, mode: TableFormat) {
      let fault = judged.fault
      let isAccess = !fault.kind.isOfMapping
      self.input = input
      line = fault.line
      kind = fault.kind.rawValue
      report = fault.quote
      address = judged.address.map(mode.text)
      last = fault.last.map(mode.text)
      errorCode = (fault.errorCode ?? fault.syndrome?.value)?.entry
      access = fault.access?.rawValue
      instruction = fault.instruction
      hint = fault.hint
      cause = isAccess ? judged.cause.rawValue : nil
      level = judged.level
      reported =
        fault.entries.isEmpty
        ? nil
        : Dictionary(
          fault.entries.map { ($0.name, $0.value.entry) }, uniquingKeysWith: { first, _ in first })
      judgedBy = judged.judgedBy?.rawValue
      tablesCause = isAccess ? judged.tablesCause?.rawValue : nil
      tablesLevel = judged.tablesLevel
      agreement = judged.agreement.rawValue
      entries = judged.entries.rawValue
      explanation = judged.explanation
      area = judged.area
      symbol = judged.symbol
      process = judged.process?.label
      tableOwner = judged.tableOwner
    }
  }

  /// What a kernel log alone tells.
  struct LogRecord: Encodable {
    let commandLine, taint, hypervisor, encryption, panic: String?
    let processors, physicalBits: Int?
    let memory: UInt64?
    let reports: [String: Int]

    init(_ subject: Subject) {
      let facts = subject.logFacts
      commandLine = facts.commandLine
      taint = facts.taint
      hypervisor = facts.hypervisor
      encryption = facts.encryption
      panic = subject.panic
      processors = facts.processors
      physicalBits = facts.physicalBits
      memory = facts.memory
      reports = Dictionary(grouping: subject.told, by: \.fault.kind.rawValue).mapValues(\.count)
    }
  }

  private struct Faults: Encodable {
    let schemaVersion = JSONReport.version
    let faults: [FaultRecord]
  }

  static func faults(_ reports: [Linter.Report]) -> [FaultRecord]? {
    let records = reports.enumerated().flatMap { faults($1, input: $0) }
    return records.isEmpty ? nil : records
  }

  static func faults(_ report: Linter.Report, input: Int) -> [FaultRecord] {
    report.subject.told.map {
      FaultRecord($0, input: input, mode: $0.mode(of: report.subject))
    }
  }

  /// The reports of one log, for `fault`.
  package static func faults(_ subject: Subject) throws -> String {
    try encode(
      Faults(
        faults: subject.told.map { FaultRecord($0, input: 0, mode: $0.mode(of: subject)) }))
  }
}

extension TextReport {
  /// The reports of one log, for `fault`.
  package static func faults(_ subject: Subject, style: TextStyle) -> String {
    var lines = subject.told.flatMap { fault($0, mode: $0.mode(of: subject), style: style) }
    if subject.faultsLeftOut > 0 { lines.append("and \(subject.faultsLeftOut) more reports") }
    if let panic = subject.panic { lines.append("the log says: \(panic)") }
    if subject.isLogAlone, !lines.isEmpty {
      lines.append(
        "no tables were given: judged by what the reports print; "
          + "a vmcore or a text dump of the same boot as a second input shows the tables, too")
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// One report of the log and why it came about.
  private static func fault(
    _ judged: FaultJudgement, mode: TableFormat, style: TextStyle
  ) -> [String] {
    let fault = judged.fault
    let why =
      "\(fault.kind.isOfMapping ? "" : "why: ")\(judged.explanation)" + place(of: judged)
    let lines = [access(judged), [style.bold(why)], witnesses(judged, mode: mode)].joined()
    return [first(judged)] + lines.map { "    " + $0 }
  }

  /// What shows a report, beside the explanation that its finding's message gives.
  static func evidence(_ judged: FaultJudgement, mode: TableFormat) -> [String] {
    [first(judged)] + access(judged) + witnesses(judged, mode: mode)
  }

  /// ` (kernel image, rodata)`; empty where nothing is known.
  static func place(of judged: FaultJudgement) -> String {
    let process = judged.process.map { "in the tables of \($0.label)" }
    let place = [judged.area, judged.symbol, process].compactMap { $0 }
    return place.isEmpty ? "" : " (\(place.joined(separator: ", ")))"
  }

  private static func first(_ judged: FaultJudgement) -> String {
    "log line \(judged.fault.line): \(judged.fault.quote)"
  }

  /// The access, and what the kernel says of it.
  private static func access(_ judged: FaultJudgement) -> [String] {
    let fault = judged.fault
    var facts: [String] = []
    if let access = fault.access {
      facts.append((fault.isUser == true ? "user " : "") + access.rawValue)
    }
    if let code = fault.errorCode { facts.append("error code \(code.entry)") }
    if let syndrome = fault.syndrome { facts.append("syndrome \(syndrome.value.entry)") }
    if let instruction = fault.instruction { facts.append("at \(instruction)") }
    let shown = fault.kind.isOfMapping || facts.isEmpty ? [] : [facts.joined(separator: ", ")]
    return shown + [fault.hint].compactMap { $0 }
  }

  private static func witnesses(_ judged: FaultJudgement, mode: TableFormat) -> [String] {
    let owner = judged.tableOwner.map {
      "the page table of \(mode.text(judged.address ?? 0)) is \($0)"
    }
    let verdict = verdict(judged)
    return [owner].compactMap { $0 } + (verdict.isEmpty ? [] : [verdict.joined(separator: "; ")])
  }

  private static func verdict(_ judged: FaultJudgement) -> [String] {
    var verdict: [String] = []
    let judge = judged.judgedBy == .report ? "its entries" : "the tables"
    let code = judged.fault.syndrome == nil ? "error code" : "syndrome"
    switch judged.agreement {
    // Without entries it is the address that decides.
    case .agrees where judged.judgedBy == .report && judged.fault.entries.isEmpty: break
    case .agrees: verdict.append("\(judge) agree with the \(code)")
    case .contradicts: verdict.append("\(judge) contradict the \(code)")
    case .unknown: break
    }
    switch judged.entries {
    case .same: verdict.append("its entries are those of the tables now")
    case .different: verdict.append("its entries are not those of the tables now")
    case .unknown: break
    }
    return verdict
  }

  /// What a log alone tells of its kernel and machine, for `info`.
  static func logFacts(_ subject: Subject) -> [String] {
    let facts = subject.logFacts
    var lines = ["  tables: none were seen: a kernel log alone"]
    func add(_ name: String, _ value: String?) {
      if let value { lines.append("  \(name): \(value)") }
    }
    add("command line", facts.commandLine)
    add("processors", facts.processors.map(String.init))
    add("memory", facts.memory.map(\.readableSize))
    add("physical address bits", facts.physicalBits.map(String.init))
    add("hypervisor", facts.hypervisor)
    add("memory encryption", facts.encryption)
    add("panic", subject.panic)
    for kind in Fault.Kind.allCases {
      let count = subject.faults.count { $0.fault.kind == kind }
      if count > 0 { lines.append("  reports: \(count) \(kind.rawValue)") }
    }
    if subject.faults.isEmpty { lines.append("  reports: none of page tables") }
    return lines
  }
}
