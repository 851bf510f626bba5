internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What the same kind of defect has in common on every machine of a fleet.
///
/// It holds the rule, the kind of table, the area, the leaves' level and common attributes, and whose
/// page table or which symbol shows it. It never holds an extent, an address or a count: random damage
/// of one kind is one cause, wherever it strikes. Severity and words do not count either.
extension Finding {
  func cause(in subject: Subject) -> String {
    if let report { return cause(of: report) }
    return [
      rule.id, table.kind, area, level ?? "", attributes.joined(separator: " "),
      owner ?? symbol(in: subject) ?? "",
    ].joined(separator: "|")
  }

  /// Of a report its kind, its cause and the function that made the access; of a line about a mapping
  /// what it names.
  private func cause(of report: FaultJudgement) -> String {
    let fault = report.fault
    let function = fault.instruction.flatMap { $0.contains("+0x") ? $0.withoutOffset : nil } ?? ""
    return [
      rule.id, fault.kind.rawValue, area, level ?? "", report.cause.rawValue, function,
      fault.kind.isOfMapping ? fault.symbol?.withoutOffset ?? "" : "",
    ].joined(separator: "|")
  }

  /// Who the first page table that its rule names belongs to.
  private var owner: String? {
    evidence.lazy.compactMap { evidence -> String? in
      switch evidence {
      case .owner(let owner, _): owner
      case .entry(let entry): entry.owner
      default: nil
      }
    }.first?.withoutOffset
  }

  /// The symbol of the kernel image that the range begins with; a place inside of one tells a place.
  private func symbol(in subject: Subject) -> String? {
    guard hasRange, let name = subject.imageSymbol(at: start), !name.contains("+") else {
      return nil
    }
    return name
  }
}

extension TableID {
  /// The name without what a machine hands out.
  fileprivate var kind: String {
    switch self {
    case .process: "process"
    case .kernel, .user, .efi, .root: stableName
    }
  }
}

extension String {
  /// `do_one+0x10/0x40 [module]` without the distance.
  fileprivate var withoutOffset: String { String(prefix { $0 != "+" }) }
}
