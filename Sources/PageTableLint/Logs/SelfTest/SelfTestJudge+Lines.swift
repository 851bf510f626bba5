/// What the lines of one failure say.
extension SelfTestJudge {
  /// Judges the lines that follow the change.
  static func change(
    _ failure: SelfTestFailure, isLarge: Bool, isGlobal: Bool, _ run: SelfTestRun,
    _ evidence: Evidence
  ) -> Finding? {
    guard failure.kinds.contains(.badEntry) else {
      guard failure.kinds.contains(.unexpectedLevel) else { return nil }
      let isCut = !run.hasHeader && run.failures.first?.address == failure.address
      if isCut || run.hasDroppedMessages {
        return .undetermined("The log has lost the line that shows the entry.")
      }
      return .falseAlarm(
        .unmappedMeanwhile,
        "A large entry that is not present passes the test of its bits and fails that of its "
          + "level: the page was unmapped meanwhile, CPA is not to blame.")
    }
    guard let entry = failure.entry else {
      return .undetermined("The log does not hold the entry, or not as a number.")
    }
    if entry & present == 0 { return .falseAlarm(.unmappedMeanwhile, unmapped) }
    if isLarge, entry & large == 0 {
      return .undetermined(
        "The level says a large page and the entry says none: the two lines contradict each other.")
    }
    return isGlobal
      ? globalChange(entry, isLarge: isLarge, evidence) : softw1Change(entry, isLarge: isLarge)
  }

  static func globalChange(
    _ entry: UInt64, isLarge: Bool, _ evidence: Evidence
  ) -> Finding {
    switch (isLarge, entry & global != 0) {
    case (true, false):
      return .falseAlarm(
        .attributeAlreadyClear,
        "The test clears _PAGE_GLOBAL, and this large page had none: nothing to change, so CPA "
          + "rightly did not split it. "
          + (evidence.pti == true
            ? "With PTI the direct map has no G by design."
            : "Fix the mapping that lacks G, not CPA."))
    case (true, true):
      if let reason = maskReason(evidence) {
        return .falseAlarm(
          .requestMasked,
          "The kernel takes _PAGE_GLOBAL out of every request (\(reason)), so nothing was asked "
            + "of CPA.")
      }
      return .realFailure(
        .notChanged,
        "The test asked to clear _PAGE_GLOBAL in one page of this large page; the bit is still "
          + "set and the page not split: the request was not carried out.")
    case (false, true):
      if evidence.xen == true {
        return .falseAlarm(
          .hypervisorRestored,
          "The page is split but G is set again: under Xen the bit belongs to the hypervisor.")
      }
      if evidence.pge == false {
        return .falseAlarm(
          .requestMasked,
          "The kernel takes _PAGE_GLOBAL out of every request (no PGE), so nothing was asked "
            + "of CPA.")
      }
      return .realFailure(
        .notChanged,
        "The page is a 4K page and has kept the G that the test asked to clear"
          + (evidence.xen == nil ? " (under Xen it would be a false alarm)." : "."))
    case (false, false):
      return entry & large != 0
        ? .falseAlarm(.patTakenForLarge, pat)
        : .undetermined("A test of _PAGE_GLOBAL would have passed this entry.")
    }
  }

  static func softw1Change(_ entry: UInt64, isLarge: Bool) -> Finding {
    switch (isLarge, entry & softw1 != 0) {
    case (true, true):
      return .falseAlarm(
        .attributeAlreadySet,
        "The test sets bit 9, and this large page had it already: nothing to change, so CPA "
          + "rightly did not split it.")
    case (true, false):
      return .realFailure(
        .notChanged,
        "The test asked to set bit 9 in one page of this large page; the bit is not set and the "
          + "page not split: CPA did not act.")
    case (false, true):
      return entry & large != 0
        ? .falseAlarm(.patTakenForLarge, pat)
        : .undetermined("A test of bit 9 would have passed this entry.")
    case (false, false):
      return .realFailure(
        .notChanged, "The page is a 4K page without the bit 9 that the test asked to set.")
    }
  }

  static let pat =
    "The bit changed as asked and the page is a 4K page; its bit 7 is PAT (a memory type), which "
    + "the test takes for the bit of a large page."

  static func maskReason(_ evidence: Evidence) -> String? {
    if evidence.xen == true { return "Xen guest" }
    return evidence.pge == false ? "no PGE" : nil
  }

  /// Judges `bad pte after revert`.
  static func revert(
    _ failure: SelfTestFailure, isGlobal: Bool, _ evidence: Evidence
  ) -> Finding? {
    guard failure.kinds.contains(.badEntryAfterRevert) else { return nil }
    guard let entry = failure.entryAfterRevert else {
      return .undetermined("The log does not hold the entry after the revert.")
    }
    if entry & present == 0 { return .falseAlarm(.unmappedMeanwhile, unmapped) }
    if isGlobal {
      if entry & global != 0 {
        return .undetermined(
          "A test of _PAGE_GLOBAL would have passed this entry after the revert.")
      }
      if let reason = maskReason(evidence) {
        return .falseAlarm(
          .requestMasked,
          "The revert could not set G: the kernel takes it out of every request (\(reason)).")
      }
      if evidence.pge == true, evidence.xen == false {
        return .realFailure(
          .notChanged, "The revert asked to set _PAGE_GLOBAL, and the entry still lacks it.")
      }
      return .undetermined(
        "The revert could not set _PAGE_GLOBAL. Without PGE or under Xen that is a false alarm, "
          + "otherwise a real failure: give --assume pge=… and xen=…")
    }
    guard entry & softw1 != 0 else {
      return .undetermined("A test of bit 9 would have passed this entry after the revert.")
    }
    return .realFailure(
      .notChanged, "The revert asked to clear bit 9, and the entry still has it.")
  }

  /// Judges `level 2 but not PSE`.
  static func count(_ failure: SelfTestFailure) -> Finding? {
    guard failure.kinds.contains(.notLarge) else { return nil }
    guard let entry = failure.entry else {
      return .undetermined("The log does not hold the entry that is not a large one.")
    }
    return entry & present == 0
      ? .falseAlarm(
        .unmappedMeanwhile,
        "The large page is not mapped; kernels before 5.0 complain of that without cause.")
      : .realFailure(
        .unknown,
        "An entry of this level is present but neither large nor a table: it is damaged.")
  }
}
