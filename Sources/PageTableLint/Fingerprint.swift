internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What tells a defect from others in every boot of one kernel on one machine.
///
/// KASLR moves areas as a whole: what lies in one that is filled alike in each boot keeps its distance
/// from the area's start (the direct map and vmemmap: the same memory; EFI: the same firmware), and what
/// lies in the kernel image that from `_text`, whichever symbols the input knows. Elsewhere addresses
/// are handed out as the boot goes (vmalloc, modules), or at random (the cpu entry area, ESPfix, a
/// process), and what is left is how much of the area has the defect.
///
/// The rule, the table, the area and the leaves' level and common attributes are always part of it;
/// severity and words never are, nor the flags A and D, which come with use.
extension Finding {
  func identity(in subject: Subject) -> String {
    if let report { return identity(of: report, in: subject) }
    return [
      rule.id, stableTable, area, extent(in: subject), level ?? "",
      attributes.joined(separator: " "),
    ]
    .joined(separator: "|")
  }

  /// The table's name, without what a boot hands out.
  var stableTable: String { table.stableName }

  /// Of a report its kind, its cause and the code that made the access, never the address that a
  /// boot hands out; of a line about a mapping the place.
  private func identity(of report: FaultJudgement, in subject: Subject) -> String {
    let fault = report.fault
    let code = fault.instruction.flatMap { $0.contains("+0x") ? $0 : nil } ?? ""
    return [
      rule.id, fault.kind.rawValue, area, level ?? "", report.cause.rawValue, code,
      fault.kind.isOfMapping ? fault.symbol ?? extent(in: subject) : "",
    ].joined(separator: "|")
  }

  private func extent(in subject: Subject) -> String {
    let area = subject.kernel.layout.area(of: start)
    func from(_ base: UInt64) -> String { "\((start &- base).hex())+\((end &- start).hex())" }
    switch area.kind.placement {
    case .fixed, .moved:
      return from(area.kind.role == .image ? subject.imageStart ?? area.start : area.start)
    case .handedOut, .random: return "\(pages) pages"
    }
  }
}

extension Subject {
  /// Where the kernel image starts: `_text`, or the first leaf there, which is the same address.
  ///
  /// Source: `cleanup_highmap`, arch/x86/mm/init_64.c, 6.12.
  var imageStart: UInt64? {
    symbols?["_text"] ?? kernel.layout.runs(.image, in: kernel.space).first(where: \.isLeaf)?.start
  }

  /// What lies at an address of the kernel image: a symbol and the distance from it.
  func imageSymbol(at address: UInt64) -> String? {
    guard kernel.layout.area(of: address).kind == .image else { return nil }
    return symbols?.label(around: address)
  }
}

extension [Judged] {
  /// The findings with their fingerprints and causes; of several that are alike each has its own
  /// fingerprint.
  func fingerprinted(in subject: Subject) -> [Judged] {
    var seen: [String: Int] = [:]
    return map { judged in
      var judged = judged
      let identity = judged.finding.identity(in: subject)
      seen[identity, default: 0] += 1
      var sum = Checksum()
      sum.add("\(identity)|\(seen[identity] ?? 1)".utf8)
      judged.fingerprint = sum.value.hex(digits: 16)
      var kind = Checksum()
      kind.add(judged.finding.cause(in: subject).utf8)
      judged.causeKey = kind.value.hex(digits: 16)
      return judged
    }
  }
}
