internal import PageTables

/// Judges a fault by the way that entries lead to its address.
enum FaultJudge {
  /// What the judged entries are called in words.
  struct Wording {
    let allowed: String
    let contradiction: String

    static let tables = Wording(
      allowed: "the tables now allow this access", contradiction: "changed since, or another root")
    static let report = Wording(
      allowed: "the printed entries allow this access",
      contradiction:
        "another \(Claim.x86.rootRegister), an entry filled meanwhile, a stale TLB or a hypervisor")
  }

  /// Judges by one root's tables.
  ///
  /// - Parameter isProcess: whether the root is not known to be the one that the access went
  ///   through: a process' own address in the kernel's tables.
  static func judge(
    _ judgement: inout FaultJudgement, _ walk: WalkResult, _ mode: TableFormat, isProcess: Bool
  ) {
    let fault = judgement.fault
    if !isProcess { compareEntries(&judgement, walk, mode) }
    blame(&judgement, walk, mode, .tables)
    judgement.agreement = agreement(judgement)
    // No process maps its first page.
    let isNull = judgement.address.map { $0 < 4096 } ?? false
    if isProcess, !isNull || judgement.agreement == .contradicts {
      judgement.agreement = .unknown
      judgement.cause = .unknown
      judgement.level = nil
      judgement.explanation =
        "unknown: a process' own address, which the kernel's tables do not show: give its root "
        + "with --table"
    } else if judgement.agreement == .contradicts, let said = said(fault) {
      judgement.explanation += "; the report says \(said): \(Wording.tables.contradiction)"
    }
  }

  /// Gives the level that is to blame, as far as `walk` goes.
  static func blame(
    _ judgement: inout FaultJudgement, _ walk: WalkResult, _ mode: TableFormat, _ wording: Wording
  ) {
    func blame(_ cause: FaultJudgement.Cause, _ levels: [WalkStep], _ words: (String) -> String) {
      let names = levels.map { mode.level($0.level).name }
      judgement.cause = cause
      judgement.level = names.first
      judgement.explanation = words(names.joined(separator: " and the "))
    }
    let last = walk.steps.suffix(1)
    switch walk.end {
    case .notCanonical:
      blame(.notCanonical, []) { _ in "no canonical address: no table can map it" }
    case .unreadable(let reason):
      judgement.explanation =
        "unknown: a table on the way is \(reason == .outsideMemory ? "outside memory" : "not in the image")"
    case .notPresent: blame(.notPresent, Array(last)) { "not present at the \($0)" }
    case .reservedBits(let bits):
      blame(.reservedBits, Array(last)) { "reserved bits \(bits.entry) are set in the \($0)" }
    case .leaf:
      let (cause, levels, words) = verdict(judgement.fault, walk, mode, wording)
      blame(cause, levels, words)
    }
  }

  private typealias Verdict = (
    cause: FaultJudgement.Cause, levels: [WalkStep], words: (String) -> String
  )

  /// Why an access of a mapped page faults.
  private static func verdict(
    _ fault: Fault, _ walk: WalkResult, _ mode: TableFormat, _ wording: Wording
  ) -> Verdict {
    let access = walk.steps.last?.access ?? []
    let isUserPage = access.isUser
    let errorCode = fault.errorCode ?? 0
    func without(_ right: Access) -> [WalkStep] {
      walk.steps.filter { !mode.access($0.entry, at: mode.level($0.level)).contains(right) }
    }
    if let reason = otherReason(errorCode) { return (.allowed, [], { _ in reason }) }
    if fault.isUser == true, !isUserPage {
      return (
        .supervisorPage, without(.user),
        { "a user's access of a kernel page: the \($0) has no USR" }
      )
    }
    let banning = without(.executeInKernel)
    // Under PTI the kernel's top entries of user space are NX, and the page itself may be executable.
    let isBannedAtTop = isUserPage && banning.allSatisfy { $0.level == mode.root.number }
    if fault.access == .fetch, !banning.isEmpty, !(isBannedAtTop && fault.isUser == false) {
      return (.noExecute, banning, { "execution of a page that is NX by the \($0)" })
    }
    if fault.access == .write, !access.isWritable {
      return (
        .readOnly, without(.write), { "a write to a read-only page: the \($0) has no RW" }
      )
    }
    if fault.isUser == false, isUserPage, errorCode & Fault.ErrorBit.present != 0 {
      let words =
        fault.access == .fetch
        ? "the kernel executed a user page: SMEP" : "the kernel accessed a user page: SMAP"
      return (.userPage, [], { _ in words })
    }
    guard fault.access != nil else {
      let rights =
        (isUserPage ? "user" : "kernel")
        + (access.isWritable ? ", writable" : ", read-only")
        + (access.isExecutable ? ", executable" : ", no-execute")
      return (.unknown, [], { _ in "mapped now (\(rights)); the report does not tell the access" })
    }
    return (.allowed, [], { _ in wording.allowed })
  }

  /// What forbade an access though the tables allow it.
  private static func otherReason(_ errorCode: UInt64) -> String? {
    let reasons: [(UInt64, String)] = [
      (Fault.ErrorBit.protectionKey, "a protection key"),
      (Fault.ErrorBit.shadowStack, "a shadow stack, which only its own instructions may write,"),
      (Fault.ErrorBit.sgx, "SGX: the page is an enclave's or not its own:"),
      (Fault.ErrorBit.rmp, "the RMP, SEV-SNP's table of page owners,"),
    ]
    return reasons.first { errorCode & $0.0 != 0 }.map {
      "\($0.1) forbade it, which tables do not show"
    }
  }

  /// Whether the error code fits the cause.
  static func agreement(_ judgement: FaultJudgement) -> FaultJudgement.Agreement {
    let fault = judgement.fault
    switch (fault.kind, judgement.cause) {
    case (_, .unknown): return .unknown
    case (.generalProtection, .notCanonical): return .agrees
    case (.generalProtection, _): return .unknown
    case (.pageFault, _), (.corruptedTable, _): break
    default: return .unknown
    }
    if judgement.cause == .allowed {
      return fault.errorCode.flatMap(otherReason) == nil ? .contradicts : .agrees
    }
    guard let errorCode = fault.errorCode else { return .unknown }
    let isPresent = errorCode & Fault.ErrorBit.present != 0
    let hasReserved = errorCode & Fault.ErrorBit.reserved != 0
    let agrees =
      switch judgement.cause {
      case .notPresent: !isPresent
      case .reservedBits: isPresent && hasReserved
      case .readOnly, .noExecute, .supervisorPage, .userPage: isPresent && !hasReserved
      case .notCanonical, .allowed, .unknown: false
      }
    return agrees ? .agrees : .contradicts
  }

  /// The report's own reason in words.
  static func said(_ fault: Fault) -> String? {
    guard let errorCode = fault.errorCode else { return nil }
    return errorCode & Fault.ErrorBit.present == 0
      ? "not present"
      : errorCode & Fault.ErrorBit.reserved != 0 ? "reserved bits" : "a violation of permissions"
  }

  private static func compareEntries(
    _ judgement: inout FaultJudgement, _ walk: WalkResult, _ mode: TableFormat
  ) {
    let accessedAndDirty: UInt64 = 0x60
    let entries = judgement.fault.entries
    guard !entries.isEmpty, !walk.steps.isEmpty else { return }
    if case .unreadable = walk.end { return }
    func step(_ name: String) -> WalkStep? {
      // A level that is folded prints the entry of the level above; *pde is the pmd's, *pdpt the top's.
      let aliases = [name, ["p4d": "pgd", "pdpt": "pgd", "pde": "pmd"][name] ?? name]
      guard
        let known = aliases.lazy.compactMap({ name in mode.levels.first { $0.name == name } }).first
      else { return nil }
      return walk.steps.first { $0.level == known.number }
    }
    let isSame = entries.allSatisfy { entry in
      guard let step = step(entry.name) else {
        // With two levels the log's PGD is the pmd here.
        return entry.name == "pgd" && mode.levels.allSatisfy { $0.name != "pgd" }
      }
      return (step.entry ^ entry.value) & ~accessedAndDirty == 0
    }
    judgement.entries = isSame ? .same : .different
  }
}
