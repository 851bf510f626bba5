internal import KernelImages
package import PageTables

/// Judges a report by the entries that it prints itself, or by its error code where it prints none.
struct ReportJudge {
  let facts: LogFacts
  /// The release of the tables or of the command line, where the log tells none.
  let release: String?

  func judge(_ fault: Fault) -> FaultJudgement {
    var judgement = FaultJudgement(fault)
    let mode = fault.mode
    let named = fault.release ?? facts.named ?? release
    let place =
      mode.isArm64
      ? AddressPlace.arm64(fault, facts: facts, release: named)
      : AddressPlace(fault, facts: facts, release: named)
    judgement.area = place.area
    switch fault.kind {
    case .pageFault, .corruptedTable:
      if fault.isArm64 {
        judgeArm64(&judgement, mode)
      } else if fault.isForeign {
        judgement.explanation = "unknown: the report is of another architecture"
      } else {
        judgeAccess(&judgement, mode)
      }
    case .generalProtection: judgeProtection(&judgement, mode)
    case .badEntry, .badPageMap: judgeEntries(&judgement, mode)
    case .badPageState:
      judgement.explanation =
        "a page was freed or handed out in a state that it may not have; no entry is printed"
    case .badCounter:
      judgement.explanation =
        "a process' count of pages is not zero at its end: entries were lost or counted twice"
    case .externalAbort: judgeAbort(&judgement)
    case .insecureMapping, .userExecutable, .writeExecute, .protected, .conflict, .zeroEntry:
      explainMapping(&judgement)
    }
    if judgement.cause == .readOnly, judgement.area == Area.Kind.directMap.name,
      let words = facts.xensReason(fault)
    {
      judgement.explanation += "; \(words)"
    }
    if let damaged = fault.damaged {
      judgement.explanation += "; the log cuts the address off after \(damaged)"
    } else if fault.isHashed {
      judgement.explanation += "; the log prints a hash in place of the address"
    }
    if let words = place.words, fault.kind.isAccess || fault.kind == .generalProtection {
      judgement.explanation += "; \(words)"
    }
    return judgement
  }

  /// What the line means, why a healthy boot prints it, or which causes are known.
  private func explainMapping(_ judgement: inout FaultJudgement) {
    let fault = judgement.fault
    judgement.explanation = Self.mapping(fault.kind)
    if fault.isExpected {
      judgement.explanation +=
        "; expected: the kernel tests CPA on its own text while it boots (CONFIG_CPA_DEBUG)"
      return
    }
    let causes = KnownCause.causes(
      of: fault, isArm64: fault.mode.isArm64 || facts.isArm64, area: judgement.area,
      release: release(of: fault),
      words: facts.release == nil ? nil : facts.words)
    if let expected = causes.first(where: \.isExpected) {
      judgement.isExpected = true
      judgement.explanation += "; expected: \(expected.sentence)"
    } else if !causes.isEmpty {
      judgement.explanation +=
        "; known of that release: " + causes.map(\.sentence).joined(separator: "; or ")
    }
  }

  private func entry(
    _ entry: UInt64, _ level: Int, of fault: Fault, reserved: UInt64 = 0
  ) -> ReportedEntry {
    ReportedEntry(
      entry, level: level, fault, facts, release: release(of: fault), reserved: reserved)
  }

  func release(of fault: Fault) -> String? {
    fault.release ?? facts.named ?? facts.release ?? release
  }

  private static func mapping(_ kind: Fault.Kind) -> String {
    switch kind {
    case .insecureMapping: "the kernel found a mapping that is writable and executable"
    case .userExecutable: "the kernel found a mapping of its own that user mode may execute"
    case .writeExecute: "a change asked for a mapping that is writable and executable"
    case .conflict:
      "a large page had a protection that a part of its range must not have: the kernel splits it and "
        + "corrects that part"
    case .zeroEntry:
      "set_memory_*() met an address that nothing maps: the caller's address or length is wrong, or "
        + "the memory was unmapped before"
    default: "the kernel kept the range's protection, as every boot does"
    }
  }

  // MARK: - Accesses

  private func judgeAccess(_ judgement: inout FaultJudgement, _ mode: TableFormat) {
    let fault = judgement.fault
    if let address = fault.address, !fault.isCanonical(address, mode) {
      FaultJudge.blame(&judgement, WalkResult(steps: [], end: .notCanonical), mode, .report)
      judgement.judgedBy = .report
      return
    }
    guard let walk = ReportedWalk(fault, mode, facts).result else {
      judgeByCode(&judgement)
      return
    }
    FaultJudge.blame(&judgement, walk, mode, .report)
    guard judgement.cause != .unknown else {
      judgeByCode(&judgement)
      return
    }
    judgement.judgedBy = .report
    judgement.isDecidedByEntries = true
    judgement.agreement = FaultJudge.agreement(judgement)
    if case .notPresent = walk.end, let step = walk.steps.last {
      judgement.explanation += entry(step.entry, step.level, of: fault).clause
    } else if case .reservedBits(let bits) = walk.end, let step = walk.steps.last {
      judgement.explanation =
        "reserved bits are set in the \(mode.level(step.level).name) \(step.entry.entry): "
        + (mode.attributes.first { $0.takes.contains(.executeInKernel) && $0.mask == bits }.map {
          "only \($0.set) can be, which this kernel does not use"
        }
          ?? entry(step.entry, step.level, of: fault, reserved: bits).words)
    }
    if judgement.agreement == .contradicts { contradict(&judgement, walk, mode) }
  }

  private func contradict(
    _ judgement: inout FaultJudgement, _ walk: WalkResult, _ mode: TableFormat
  ) {
    let fault = judgement.fault
    guard let said = FaultJudge.said(fault) else {
      if judgement.cause == .allowed {
        judgement.explanation +=
          ", so that it faulted by \(FaultJudge.Wording.report.contradiction)"
      }
      return
    }
    judgement.explanation += "; the error code says \(said)"
    let isKernel = (fault.address ?? 0) >= mode.upperHalf
    if fault.pti ?? facts.pti == true, isKernel, judgement.cause == .allowed {
      judgement.explanation +=
        ": PTI is on, and the user's tables, which lack the page, may have been in "
        + Claim.x86.rootRegister
      if let root = fault.rootRegister {
        let isUsers = mode.architecture.userTwin(of: root, mode) == root
        judgement.explanation +=
          " (\(Claim.x86.rootRegister) "
          + (isUsers ? "is the user's half)" : "as printed is the kernel's)")
      }
    } else {
      judgement.explanation += ": \(FaultJudge.Wording.report.contradiction)"
    }
  }

  /// Without entries that decide, the error code tells the kind of fault and no level.
  private func judgeByCode(_ judgement: inout FaultJudgement) {
    let fault = judgement.fault
    guard let code = fault.errorCode else {
      judgement.explanation =
        fault.entries.isEmpty
        ? "unknown: the report prints neither entries nor an error code"
        : "unknown: the report prints no error code, which would say what the access was"
      return
    }
    judgement.judgedBy = .report
    func say(_ cause: FaultJudgement.Cause, _ words: String) {
      judgement.cause = cause
      judgement.explanation = "by the error code \(code.entry): \(words)"
    }
    let isPresent = code & Fault.ErrorBit.present != 0
    let isUserAddress = fault.address.map { $0 < fault.mode.upperHalf } ?? false
    if code & Fault.ErrorBit.reserved != 0 {
      say(.reservedBits, "reserved bits are set in an entry on the way")
    } else if !isPresent {
      say(.notPresent, "an entry on the way is not present")
    } else if code & (0x60 | Fault.ErrorBit.sgx | Fault.ErrorBit.rmp) != 0 {
      say(.allowed, "what forbade it is no table's: a key, a shadow stack, SGX or the RMP")
    } else if fault.isUser == false, isUserAddress,
      fault.access != .fetch || fault.hint?.mentions("SMEP") == true
    {
      say(.userPage, "the kernel accessed a user page (SMAP, SMEP)")
    } else if fault.access == .fetch {
      say(.noExecute, "the page may not be executed")
    } else if fault.isUser == true, !isUserAddress {
      say(.supervisorPage, "a user's access of a kernel page")
    } else if fault.access == .write {
      say(.readOnly, "the page may not be written")
    } else {
      judgement.explanation = "unknown: a violation of permissions, which no entry explains"
    }
  }

  private func judgeProtection(_ judgement: inout FaultJudgement, _ mode: TableFormat) {
    let fault = judgement.fault
    if let address = fault.address, fault.isCanonical(address, mode) {
      judgement.explanation = "unknown: the address is canonical, and no entry is printed"
    } else if fault.address != nil || fault.quote.mentions("non-canonical") {
      FaultJudge.blame(&judgement, WalkResult(steps: [], end: .notCanonical), mode, .report)
      judgement.judgedBy = .report
      judgement.agreement = fault.address == nil ? .unknown : .agrees
    } else {
      judgement.explanation = "unknown: the report tells no address"
    }
  }

  // MARK: - Entries that the kernel found bad

  private func judgeEntries(_ judgement: inout FaultJudgement, _ mode: TableFormat) {
    let fault = judgement.fault
    let printed =
      fault.kind == .badEntry ? fault.entries.first : fault.entries.first { $0.name == "pte" }
    guard let entry = printed, let level = fault.level(of: entry.name, mode) else {
      judgement.explanation = "unknown: the report prints no entry"
      return
    }
    let found = self.entry(entry.value, level, of: fault)
    judgement.judgedBy = .report
    judgement.isDecidedByEntries = true
    judgement.level = mode.level(level).name
    if mode.classify(entry.value, level: level) == .invalid {
      judgement.cause = .notPresent
      judgement.explanation =
        "the \(entry.name) \(entry.value.entry) is not present: \(found.words)"
    } else if found.reading.kind.isDamage {
      judgement.cause = .reservedBits
      judgement.explanation =
        "the \(entry.name) \(entry.value.entry) maps no memory: \(found.words)"
    } else if level > 1, mode.classify(entry.value, level: level) == .leaf {
      judgement.cause = .allowed
      judgement.explanation =
        "the \(entry.name) \(entry.value.entry) is a valid huge page in the place of a table: the "
        + "code that met it expected none, and nothing is corrupted"
    } else {
      judgement.explanation = "the \(entry.name) \(entry.value.entry) is present: \(found.words)"
    }
  }
}

extension Fault {
  /// The format of the tables, by the names and the digits of the report's entries.
  package var mode: TableFormat {
    if let arm64Format { return arm64Format }
    if isArm64 || looksLikeArm64 { return .arm64(.fourK, bits: 48) }
    if entries.contains(where: { $0.name == "pdpt" }) { return .i386PAE }
    if entries.contains(where: { $0.name == "pde" }) { return hasWideEntries ? .i386PAE : .i386 }
    let pgd = entries.first { $0.name == "pgd" }?.value
    let p4d = entries.first { $0.name == "p4d" }?.value
    if kind == .badPageMap || kind == .badEntry {
      // 32 bits print 8 digits.
      let isNarrow = kind == .badPageMap && !entries.isEmpty && !hasWideEntries
      if isNarrow { return .i386 }
    } else if entries.isEmpty, let address, address >> 32 == 0, address >= 0xc000_0000 {
      return .i386
    }
    if let pgd, let p4d, pgd != p4d { return .x86_64FiveLevel }
    if modeRegister.map({ $0 & 1 << 12 != 0 }) == true, pgd != nil { return .x86_64FiveLevel }
    return .x86_64
  }

  /// Whether the pmd of a bad page map is a table pointer as arm64 has them and x86 none.
  private var looksLikeArm64: Bool {
    kind == .badPageMap && hasWideEntries
      && entries.contains { $0.name == "pmd" && [0x003, 0x403].contains($0.value & 0xfff) }
  }

  /// The number of the level of a printed entry; nil for one that is folded away.
  func level(of name: String, _ mode: TableFormat) -> Int? {
    let known = ["pdpt": "pgd", "pde": "pmd"][name] ?? name
    if let level = mode.levels.first(where: { $0.name == known }) { return level.number }
    return known == "p4d" ? mode.levels.first { $0.name == "pgd" }?.number : nil
  }

  /// With entries of five levels the address may be one of 57 bits.
  func isCanonical(_ address: UInt64, _ mode: TableFormat) -> Bool {
    mode.isCanonical(address)
      || (entries.isEmpty && TableFormat.x86_64FiveLevel.isCanonical(address))
  }
}
