internal import PageTables

/// The way to an address as a report prints it.
struct ReportedWalk {
  /// Nil where the entries do not reach an end.
  let result: WalkResult?

  init(_ fault: Fault, _ mode: TableFormat, _ facts: LogFacts) {
    let steps = Self.steps(fault, mode)
    let code = fault.errorCode
    let hasReserved = code.map { $0 & Fault.ErrorBit.reserved != 0 }
    if hasReserved ?? (fault.kind == .corruptedTable),
      let end = Self.reserved(steps, mode, facts)
    {
      result = end
      return
    }
    guard let last = steps.last else {
      result = nil
      return
    }
    let level = mode.level(last.level)
    switch level.classify(last.entry) {
    case .invalid: result = WalkResult(steps: steps, end: .notPresent)
    case .leaf:
      // Reserved bits that the error code does not blame are another's: a hypervisor's, encryption's.
      let reserved = last.level == 1 || code != nil ? 0 : last.entry & level.reservedInLeaf
      result = WalkResult(
        steps: steps,
        end: reserved != 0
          ? .reservedBits(reserved)
          : .leaf(physical: level.leafField.address(in: last.entry), size: level.span))
    case .table: result = nil
    }
  }

  /// The steps from the top down to the first that ends the way: what an old kernel prints below a
  /// large leaf is that page's contents.
  private static func steps(_ fault: Fault, _ mode: TableFormat) -> [WalkStep] {
    var steps: [WalkStep] = []
    var access = Access.all
    for entry in fault.entries {
      guard let number = fault.level(of: entry.name, mode),
        steps.last.map({ $0.level > number }) ?? true
      else { continue }
      access = mode.access(entry.value, at: mode.level(number), below: access)
      steps.append(
        WalkStep(level: number, table: 0, index: 0, entry: entry.value, access: access))
      if mode.classify(entry.value, level: number) != .table { break }
    }
    return steps
  }

  /// The entry that holds reserved bits, where the processor says that one does: bits that no entry
  /// of its level may have, else the highest frame beyond what such a machine addresses, else NX of
  /// a kernel that does not use it.
  private static func reserved(_ steps: [WalkStep], _ mode: TableFormat, _ facts: LogFacts)
    -> WalkResult?
  {
    let present = steps.filter { mode.classify($0.entry, level: $0.level) != .invalid }
    func frame(_ index: Int) -> UInt64 { mode.tableField.address(in: present[index].entry) }
    func end(_ index: Int, _ bits: UInt64) -> WalkResult {
      WalkResult(steps: Array(present[...index]), end: .reservedBits(bits))
    }
    let limit: UInt64? = facts.physicalBits.flatMap {
      (32..<53).contains($0) ? 1 << UInt64($0) : nil
    }
    let highest = present.indices.max { frame($0) < frame($1) }
    if let highest, frame(highest) >= limit ?? 1 << 40 {
      return end(highest, frame(highest) & ~((limit ?? 1 << 40) - 1))
    }
    for (index, step) in present.enumerated() {
      let level = mode.level(step.level)
      let bits =
        step.level == 1
        ? 0
        : step.entry
          & (level.classify(step.entry) == .leaf ? level.reservedInLeaf : level.reservedInTable)
      if bits != 0 { return end(index, bits) }
    }
    if let highest, frame(highest) >= 1 << 32 {
      return end(highest, frame(highest) & ~0xffff_ffff)
    }
    let noExecute = mode.attributes.first { $0.takes.contains(.executeInKernel) }?.mask ?? 0
    if let index = present.firstIndex(where: { $0.entry & noExecute != 0 }) {
      return end(index, noExecute)
    }
    return nil
  }
}
