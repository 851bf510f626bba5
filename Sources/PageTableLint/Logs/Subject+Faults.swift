internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Subject {
  /// Why a log's reports are of another boot than these tables; nil where nothing speaks against.
  func refuses(_ log: LogReports) -> String? {
    let faults = log.faults
    // A log that begins after the boot's first line names the release in its reports.
    guard !faults.isEmpty, let mine = facts.release?.value,
      let release = log.release ?? faults.lazy.compactMap(\.release).first, release != mine
    else { return nil }
    return "the log is of release \(release), the tables of \(mine)"
  }

  /// The processes of the image where a report is of one's own address; else none.
  func tasks(for log: LogReports) -> [KernelProcess] {
    let isWanted = log.faults.contains { fault in
      fault.pid != nil && fault.address.map { $0 < mode.upperHalf } == true
    }
    return isWanted ? (try? image?.processes(nil)) ?? processes : []
  }

  /// Judges a report by the entries that it prints, and by the tables below one root or its
  /// process' own.
  package func judge(_ fault: Fault, in table: Table? = nil) -> FaultJudgement {
    let own = ReportJudge(facts: logFacts, release: facts.release?.value).judge(fault)
    if isLogAlone { return own }
    let byTables = judgeByTables(fault, in: table ?? kernel)
    let isByReport =
      !fault.kind.isOfMapping && (own.isDecidedByEntries || byTables.cause == .unknown)
    var judgement = isByReport ? own : byTables
    if fault.kind.isOfMapping {
      judgement.explanation = own.explanation + "; " + byTables.explanation
      judgement.isExpected = own.isExpected
      return judgement
    }
    if isByReport {
      judgement.address = byTables.address
      judgement.area = byTables.area ?? own.area
      judgement.entries = byTables.entries
      judgement.symbol = byTables.symbol
      judgement.process = byTables.process
      judgement.tableOwner = byTables.tableOwner
      let isOther = byTables.cause != own.cause || byTables.level != own.level
      if own.cause == .unknown {
        judgement.explanation = byTables.explanation
      } else if isOther, byTables.cause != .unknown || fault.kind == .badEntry {
        judgement.explanation += "; by the tables: \(byTables.explanation)"
      }
    } else if byTables.cause != .unknown {
      judgement.judgedBy = .tables
    }
    if image != nil {
      judgement.tablesCause = byTables.cause
      judgement.tablesLevel = byTables.level
    }
    return judgement
  }

  private func judgeByTables(_ fault: Fault, in table: Table) -> FaultJudgement {
    let mode = table.space.mode
    var judgement = FaultJudgement(fault)
    if judgement.address == nil { judgement.address = fault.symbol.flatMap(address) }
    guard let address = judgement.address else {
      judgement.explanation = "unknown: the log does not tell the address"
      return judgement
    }
    guard mode.isCanonical(address) || image != nil else { return unseen(judgement) }
    if mode.isCanonical(address) {
      let area = table.layout.area(of: address)
      judgement.area = area.name
      judgement.symbol = imageSymbol(at: address)
    }
    if fault.kind.isOfMapping {
      judgement.explanation = state(of: address, in: table)
      judgement.tableOwner = owner(of: address, in: table)
      return judgement
    }
    guard let image, let root = table.root else { return unseen(judgement) }
    if fault.kind == .badEntry {
      judgeBadEntry(&judgement, address, image, root)
      return judgement
    }
    let isProcess =
      mode.isCanonical(address) && address < mode.upperHalf && table.id == .kernel
    if isProcess { judgement.process = fault.pid.flatMap { pid in tasks.first { $0.pid == pid } } }
    let isUnknown = isProcess && judgement.process == nil
    let walk = image.walk(address, root: judgement.process?.root ?? root)
    if !isUnknown {
      judgement.tableOwner = walk.steps.last.flatMap { image.owner(ofTable: $0.table) }
    }
    FaultJudge.judge(&judgement, walk, mode, isProcess: isUnknown)
    return judgement
  }

  private func unseen(_ judgement: FaultJudgement) -> FaultJudgement {
    var judgement = judgement
    judgement.explanation = "unknown without a memory image"
    return judgement
  }

  /// `bad pmd ADDRESS(VALUE)`: the address is that of the entry.
  private func judgeBadEntry(
    _ judgement: inout FaultJudgement, _ address: UInt64, _ image: KernelImage, _ root: UInt64
  ) {
    guard let entry = judgement.fault.entries.first else { return }
    let what = "the \(entry.name) \(entry.value.entry) pointed to no table"
    let size = mode.entrySize
    // Since 4.15 %p prints a hash.
    guard address >= mode.upperHalf, let physical = image.walk(address, root: root).physical,
      let bytes = try? image.memory.read(at: physical, count: size)
    else {
      judgement.explanation = "\(what); where it lies is not known"
      return
    }
    var now: UInt64 = 0
    for byte in bytes.reversed() { now = now << 8 | UInt64(byte) }
    judgement.entries = now == entry.value ? .same : .different
    judgement.tableOwner = image.owner(ofTable: physical & ~4095)
    judgement.explanation = "\(what); \(address.address) holds now \(now.entry)"
  }

  /// What an address is now, in words.
  private func state(of address: UInt64, in table: Table) -> String {
    let mode = table.space.mode
    guard let run = table.space.run(at: address) else { return "not seen" }
    guard run.isLeaf else { return run.kind == .unreadable ? "unknown now" : "not mapped now" }
    let own = mode.names(flags(at: address, in: run, of: table), level: Int(run.level))
      .joined(separator: " ")
    guard table.space.hasPhysical else { return "now \(own)" }
    return "now \(own), effective"
      + (run.access.isUser ? " user" : " kernel")
      + (run.access.isWritable ? " writable" : " read-only")
      + (run.access.isExecutable ? " executable" : " no-execute")
  }

  /// The address of `name+0x10/0x20`.
  private func address(of place: String) -> UInt64? {
    let parts = place.split(separator: "/")[0].split(separator: "+")
    guard let name = parts.first, let start = symbols?[String(name)] else { return nil }
    return parts.count < 2 ? start : UInt64(hexText: parts[1]).map { start &+ $0 }
  }
}
