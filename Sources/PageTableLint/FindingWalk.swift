internal import KernelImages
internal import PageTables

/// The way to a finding's first address, level by level, with who each table belongs to.
struct FindingWalk: Sendable, Codable {
  let mode: TableFormat
  let address: UInt64
  let result: WalkResult
  /// Of each step's table; nil where it does not lie in the kernel image.
  let owners: [String?]

  /// Nil for a report of the log, for what has no address, and where there is no image.
  init?(_ finding: Finding, in subject: Subject) {
    guard finding.report == nil, finding.hasRange, let image = subject.image,
      let root = subject.tables.first(where: { $0.id == finding.table })?.root
    else { return nil }
    mode = image.mode
    address = finding.start
    result = image.walk(address, root: root)
    owners = result.steps.map { image.owner(ofTable: $0.table) }
    if result.steps.isEmpty { return nil }
  }
}

extension Judged {
  /// The way to its first address, where there is one.
  func walk(in subject: Subject) -> FindingWalk? {
    keptWalk ?? FindingWalk(finding, in: subject)
  }
}
