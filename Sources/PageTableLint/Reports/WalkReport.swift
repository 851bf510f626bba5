package import KernelImages
internal import PageTables

/// The way to an address, level by level.
package struct WalkReport {
  private let image: KernelImage
  private let address: UInt64
  private let result: WalkResult

  package init(_ address: UInt64, in image: KernelImage, root: UInt64) {
    self.image = image
    self.address = address
    result = image.walk(address, root: root)
  }

  private struct Record: Encodable {
    let address: String
    let steps: [Step]
    let end: String
    let physical: String?
    let pageSize: UInt64?
    let write, user, execute: Bool?
  }

  private struct Step: Encodable {
    let level: String
    let index: Int
    let table, entry: String
    let flags: [String]
    let owner: String?
  }

  private struct Document: Encodable {
    let schemaVersion = JSONReport.version
    let input: JSONReport.Input
    let table: String
    let walks: [Record]
  }

  /// - Parameter table: the name of the one that was walked.
  package static func json(
    _ walks: [WalkReport], of subject: Subject, table: String
  ) throws -> String {
    try JSONReport.encode(
      Document(input: JSONReport.input(subject), table: table, walks: walks.map(\.record)))
  }

  private func flags(_ step: WalkStep) -> [String] {
    let mode = image.mode
    return mode.names(
      mode.flags(of: step.entry, level: step.level), level: step.level,
      of: mode.classify(step.entry, level: step.level))
  }

  private var record: Record {
    let mode = image.mode
    let steps = result.steps.map { step in
      Step(
        level: mode.level(step.level).name, index: step.index, table: step.table.entry,
        entry: step.entry.entry, flags: flags(step), owner: image.owner(ofTable: step.table))
    }
    var leaf: (physical: UInt64, size: UInt64)?
    if case .leaf(let physical, let size) = result.end { leaf = (physical, size) }
    let access = leaf == nil ? nil : result.steps.last?.access
    return Record(
      address: mode.text(address), steps: steps, end: end, physical: leaf?.physical.entry,
      pageSize: leaf?.size, write: access?.isWritable, user: access?.isUser,
      execute: access?.isExecutable)
  }

  private var end: String {
    switch result.end {
    case .leaf: "leaf"
    case .notPresent: "not-present"
    case .reservedBits: "reserved-bits"
    case .unreadable(.outsideMemory): "table-outside-memory"
    case .unreadable(.notInImage): "table-not-in-image"
    case .notCanonical: "not-canonical"
    }
  }

  /// For people: a line a level, then where it leads.
  package var text: String {
    let mode = image.mode
    var lines = [mode.text(address)]
    for step in result.steps {
      let owner = image.owner(ofTable: step.table).map { "  in \($0)" } ?? ""
      lines.append(
        "  \(mode.level(step.level).name)[\(step.index)] \(step.table.entry): \(step.entry.entry)"
          + "  \(flags(step).joined(separator: " "))\(owner)")
    }
    switch result.end {
    case .leaf(let physical, let size):
      let access = result.steps.last?.access ?? []
      lines.append(
        "  -> \(physical.entry), a page of \(size.readableSize), effective:"
          + (access.isUser ? " user" : " kernel")
          + (access.isWritable ? " writable" : " read-only")
          + (access.isExecutable ? " executable" : " no-execute"))
    case .notPresent: lines.append("  -> not present")
    case .reservedBits(let bits): lines.append("  -> faults: reserved bits \(bits.entry)")
    case .unreadable(let reason):
      let place = reason == .outsideMemory ? "outside memory" : "not in the image"
      lines.append("  -> unknown: the table is \(place)")
    case .notCanonical: lines.append("  -> not canonical")
    }
    return lines.asLines
  }
}
