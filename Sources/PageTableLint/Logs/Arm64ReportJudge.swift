internal import KernelText
internal import PageTables

/// Judges an arm64 report by the entries that it prints, and by its syndrome.
extension ReportJudge {
  func judgeArm64(_ judgement: inout FaultJudgement, _ mode: TableFormat) {
    let fault = judgement.fault
    judgement.judgedBy = .report
    if case .other(let words)? = fault.syndrome?.reason {
      judgement.cause = .allowed
      judgement.agreement = .agrees
      judgement.explanation = "\(words), which no table forbids or causes"
      return
    }
    let steps = fault.arm64Steps(mode)
    guard let last = steps.last, mode.classify(last.entry, level: last.level) != .table else {
      judgeBySyndrome(&judgement, mode)
      return
    }
    judgement.isDecidedByEntries = true
    if mode.classify(last.entry, level: last.level) == .invalid {
      judgement.cause = .notPresent
      judgement.level = mode.arm64Name(last.level)
      judgement.explanation =
        "not present at the \(mode.arm64Name(last.level))"
        + ReportedEntry(
          last.entry, level: last.level, fault, facts, release: release(of: fault)
        ).clause
    } else {
      judgeLeaf(&judgement, steps, mode)
    }
    agree(&judgement)
  }

  /// What forbids an access of a mapped page.
  private func judgeLeaf(
    _ judgement: inout FaultJudgement, _ steps: [WalkStep], _ mode: TableFormat
  ) {
    let fault = judgement.fault
    guard let last = steps.last else { return }
    let name = mode.arm64Name(last.level)
    func say(_ cause: FaultJudgement.Cause, _ level: String?, _ words: String) {
      (judgement.cause, judgement.level, judgement.explanation) = (cause, level, words)
    }
    // The leaf is to blame where it forbids by itself, and no level above it more than another.
    func first(without right: Access) -> String? {
      let forbidding = steps.filter {
        !mode.access($0.entry, at: mode.level($0.level)).contains(right)
      }
      return (forbidding.last { $0.level == last.level } ?? forbidding.first)
        .map { mode.arm64Name($0.level) }
    }
    let reason = fault.syndrome?.reason
    if reason == .addressSize {
      let field =
        mode.classify(last.entry, level: last.level) == .leaf
        ? mode.level(last.level).leafField : mode.tableField
      say(
        .reservedBits, name,
        "the frame \(field.address(in: last.entry).entry) in the \(name) lies above what the "
          + "processor can address")
      return
    }
    if reason == .accessFlag || (last.entry & 1 << 10 == 0 && reason == nil) {
      say(.notPresent, name, "AF is clear in the \(name): nothing had used the page yet")
      return
    }
    let isUser = fault.syndrome?.isUser ?? false
    let right: Access = isUser ? .executeInUser : .executeInKernel
    if fault.access == .fetch, let level = first(without: right) {
      let bit = isUser ? "UXN" : "PXN"
      say(.noExecute, level, "execution of a page that \(bit) of the \(level) forbids")
    } else if fault.access == .write, let level = first(without: .write) {
      say(.readOnly, level, "a write to a read-only page: the \(level) has AP[2] set")
    } else if isUser, let level = first(without: .user) {
      say(.supervisorPage, level, "a user's access of a kernel page: the \(level) has no USR")
    } else if reason == .permission, !isUser, last.access.isUser {
      say(.userPage, nil, "the kernel accessed a user page outside of uaccess: PAN")
    } else {
      say(.allowed, nil, FaultJudge.Wording.report.allowed)
    }
  }

  /// Whether the syndrome names the entries' reason; what it means where it does not.
  private func agree(_ judgement: inout FaultJudgement) {
    guard let reason = judgement.fault.syndrome?.reason else { return }
    let agrees =
      switch judgement.cause {
      case .notPresent: reason == .translation || reason == .accessFlag
      case .reservedBits: reason == .addressSize
      case .readOnly, .noExecute, .supervisorPage, .userPage: reason == .permission
      default: false
      }
    judgement.agreement = agrees ? .agrees : .contradicts
    guard !agrees else { return }
    judgement.explanation +=
      "; the syndrome says \(Self.words(reason)): an entry filled meanwhile, a stale TLB, or "
      + "another table than the one that was printed"
  }

  private static func words(_ reason: Arm64Syndrome.Reason) -> String {
    switch reason {
    case .addressSize: "that an address is too large"
    case .translation: "not present"
    case .accessFlag: "that AF is clear"
    case .permission: "a violation of permissions"
    case .other(let words): words
    }
  }

  /// Without entries that decide: by the syndrome, else by the words of the first line.
  private func judgeBySyndrome(_ judgement: inout FaultJudgement, _ mode: TableFormat) {
    let fault = judgement.fault
    guard let syndrome = fault.syndrome, let reason = syndrome.reason else {
      judgeByWords(&judgement)
      return
    }
    // Where nothing told the format, the levels above the pmd may have other names.
    let isKnown = fault.arm64Format != nil || facts.arm64Format != nil
    let level = syndrome.level.flatMap { number -> String? in
      isKnown || number < 3 ? mode.arm64Name(min(number, mode.levels.count)) : nil
    }
    func say(_ cause: FaultJudgement.Cause, _ words: String) {
      judgement.cause = cause
      judgement.level = level
      judgement.explanation =
        "by the syndrome \(syndrome.value.entry): \(words)" + (level.map { " at the \($0)" } ?? "")
    }
    switch reason {
    case .addressSize: say(.reservedBits, "an address above what the processor can address")
    case .translation: say(.notPresent, "not present")
    case .accessFlag: say(.notPresent, "AF is clear")
    case .permission where syndrome.isFetch: say(.noExecute, "the page may not be executed")
    case .permission where syndrome.isWrite && !isUserAddress(fault):
      say(.readOnly, "the page may not be written")
    case .permission where isUserAddress(fault) && !syndrome.isUser:
      say(.userPage, "the kernel accessed a user page (PAN), or one that is read-only")
    case .permission where syndrome.isUser:
      say(.supervisorPage, "a user's access of a kernel page")
    case .permission:
      judgement.explanation = "unknown: a violation of permissions, which no entry explains"
    case .other: break
    }
    if let address = fault.address, !mode.isCanonical(address) {
      judgement.explanation += "; the address lies between the halves, where no table maps anything"
    }
  }

  private func isUserAddress(_ fault: Fault) -> Bool {
    fault.address.map { $0 >> 55 & 1 == 0 } ?? false
  }

  /// Source: `__do_kernel_fault`, arch/arm64/mm/fault.c, 6.12: the words follow from the syndrome.
  private func judgeByWords(_ judgement: inout FaultJudgement) {
    let causes: [(String, FaultJudgement.Cause)] = [
      ("execute from non-executable", .noExecute), ("write to read-only", .readOnly),
      ("access to user memory", .userPage), ("execution of user memory", .userPage),
      ("address size fault", .reservedBits), ("translation fault", .notPresent),
    ]
    guard let (words, cause) = causes.first(where: { judgement.fault.quote.mentions($0.0) }) else {
      judgement.judgedBy = nil
      judgement.explanation = "unknown: the report prints neither entries nor a syndrome"
      return
    }
    judgement.cause = cause
    judgement.explanation = "by the report's own words: \(words)"
  }

  /// An error that memory, a device or the processor reported.
  func judgeAbort(_ judgement: inout FaultJudgement) {
    let fault = judgement.fault
    if fault.quote.mentions("SError") {
      judgement.explanation =
        "unknown: an error that came later than its access (SError); no table tells which"
    } else {
      judgement.judgedBy = .report
      judgement.cause = .allowed
      judgement.explanation =
        "memory or a device answered with an error (synchronous external abort): the tables allowed "
        + "the access, and may lead to a wrong frame"
    }
  }
}

extension Fault {
  /// The steps from the top down to the first that ends the way.
  ///
  /// A level that is folded repeats the entry above it, but for a top one that the kernel was built for
  /// and does not use, which is zero: the lowest name of the top level counts.
  func arm64Steps(_ mode: TableFormat) -> [WalkStep] {
    let top = mode.levels.count
    var steps: [WalkStep] = []
    var access = PageTables.Access.all
    for entry in entries {
      guard let number = ["pte", "pmd", "pud", "p4d", "pgd"].firstIndex(of: entry.name) else {
        continue
      }
      let level = entry.name == "pgd" ? top : min(number + 1, top)
      if level == top, steps.count <= 1 {
        steps = []
        access = .all
      }
      if let last = steps.last, last.level <= level { continue }
      if let last = steps.last, mode.classify(last.entry, level: last.level) != .table { break }
      access = mode.access(entry.value, at: mode.level(level), below: access)
      steps.append(
        WalkStep(level: level, table: 0, index: 0, entry: entry.value, access: access))
    }
    return steps
  }
}

extension TableFormat {
  /// The level's name where the kernel prints it: the top one's is always that of the root.
  func arm64Name(_ number: Int) -> String {
    number == levels.count ? "pgd" : level(number).name
  }
}
