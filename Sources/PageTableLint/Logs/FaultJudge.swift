package import KernelImages
internal import MemoryImages
internal import PageTables

/// What tables say of a reported fault.
package struct FaultJudgement: Sendable, Equatable {
  /// Why the access faults by the tables.
  package enum Cause: String, Sendable {
    case notPresent = "not-present"
    case readOnly = "read-only"
    case noExecute = "no-execute"
    case reservedBits = "reserved-bits"
    /// A user's access of a supervisor page.
    case supervisorPage = "supervisor-page"
    /// The kernel's access of a user page: SMEP, SMAP.
    case userPage = "user-page"
    case notCanonical = "not-canonical"
    /// The tables allow the access now.
    case allowed
    case unknown
  }

  package enum Agreement: String, Sendable { case agrees, contradicts, unknown }
  /// Whether the entries that the report prints are those of the tables, but for A and D.
  package enum Entries: String, Sendable { case same, different, unknown }

  package let fault: Fault
  /// The address, where the log names a symbol that is known.
  package var address: UInt64?
  package var cause = Cause.unknown
  /// The level that is to blame, the highest of several.
  package var level: String?
  package var agreement = Agreement.unknown
  package var entries = Entries.unknown
  package var explanation = ""
  /// Whose tables it was judged by; nil for the chosen root's.
  package var process: KernelProcess?
  package var area: String?
  /// What lies there in the kernel image.
  package var symbol: String?
  /// Whose the last table on the way is, where it lies in the kernel image.
  package var tableOwner: String?

  init(_ fault: Fault) {
    self.fault = fault
    address = fault.address
  }
}

/// Judges a fault by the way that one root's tables lead to its address.
enum FaultJudge {
  /// - Parameter isProcess: whether the root is not known to be the one that the access went
  ///   through: a process' own address in the kernel's tables.
  static func judge(
    _ judgement: inout FaultJudgement, _ walk: WalkResult, _ mode: TableFormat, isProcess: Bool
  ) {
    let fault = judgement.fault
    if !isProcess { compareEntries(&judgement, walk, mode) }
    blame(&judgement, walk, mode)
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
      judgement.explanation += "; the report says \(said): changed since, or another root"
    }
  }

  private static func blame(
    _ judgement: inout FaultJudgement, _ walk: WalkResult, _ mode: TableFormat
  ) {
    let fault = judgement.fault
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
      let effective = walk.steps.last?.effective ?? 0
      func without(_ flag: UInt64) -> [WalkStep] {
        walk.steps.filter { ($0.entry | mode.level($0.level).grants) & flag == 0 }
      }
      let isUserPage = effective & mode.user != 0
      let errorCode = fault.errorCode ?? 0
      if errorCode & (Fault.ErrorBit.protectionKey | Fault.ErrorBit.rmp) != 0 {
        judgement.explanation = "a protection key or the RMP forbade it, which tables do not show"
      } else if fault.isUser == true, !isUserPage {
        blame(.supervisorPage, without(mode.user)) {
          "a user's access of a kernel page: the \($0) has no USR"
        }
      } else if fault.access == .fetch, mode.noExecute != 0, effective & mode.noExecute != 0 {
        blame(.noExecute, walk.steps.filter { $0.entry & mode.noExecute != 0 }) {
          "execution of a page that is NX by the \($0)"
        }
      } else if fault.access == .write, effective & mode.write == 0 {
        blame(.readOnly, without(mode.write)) { "a write to a read-only page: the \($0) has no RW" }
      } else if fault.isUser == false, isUserPage, errorCode & Fault.ErrorBit.present != 0 {
        blame(.userPage, []) { _ in
          fault.access == .fetch
            ? "the kernel executed a user page: SMEP" : "the kernel accessed a user page: SMAP"
        }
      } else if fault.access == nil {
        let rights =
          (isUserPage ? "user" : "kernel")
          + (effective & mode.write != 0 ? ", writable" : ", read-only")
          + (effective & mode.noExecute != 0 ? ", no-execute" : ", executable")
        judgement.explanation = "mapped now (\(rights)); the report does not tell the access"
      } else {
        blame(.allowed, []) { _ in "the tables now allow this access" }
      }
    }
  }

  private static func agreement(_ judgement: FaultJudgement) -> FaultJudgement.Agreement {
    let fault = judgement.fault
    switch (fault.kind, judgement.cause) {
    case (_, .unknown): return .unknown
    case (.generalProtection, .notCanonical): return .agrees
    case (.generalProtection, _): return .unknown
    case (.pageFault, _), (.corruptedTable, _): break
    default: return .unknown
    }
    if judgement.cause == .allowed { return .contradicts }
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
  private static func said(_ fault: Fault) -> String? {
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
