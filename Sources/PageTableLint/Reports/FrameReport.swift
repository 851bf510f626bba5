package import KernelImages
internal import MemoryImages
internal import PageTables

/// What some frames are, and every address that maps them in the tables that were read.
package struct FrameReport {
  package enum Style { case text, json }

  private let frames: ClosedRange<UInt64>
  private let image: KernelImage
  private let subject: Subject
  private let filter: MappingFilter?
  private var tables: [Table] { subject.tables }

  /// - Parameters:
  ///   - frames: physical addresses, made whole pages.
  ///   - subject: the image's tables.
  ///   - filter: the mappings that are meant; nil for all.
  package init(
    _ frames: ClosedRange<UInt64>, in image: KernelImage, of subject: Subject,
    filter: MappingFilter? = nil
  ) {
    let offset = image.mode.granule - 1
    self.frames = (frames.lowerBound & ~offset)...(frames.upperBound | offset)
    self.image = image
    self.subject = subject
    self.filter = filter
  }

  // MARK: - What the frames are

  private struct Page: Encodable {
    let physical, end: String
    let held: Bool
    let symbol, memory, use: String?
    let pageTables: [Role]
  }

  /// A page table among the frames.
  private struct Role: Encodable {
    let table, level, address, physical: String
    let owner: String?
  }

  private var page: Page {
    let first = frames.lowerBound
    return Page(
      physical: first.entry, end: (frames.upperBound &+ 1).entry,
      held: (try? image.memory.read(at: first, count: 8)) != nil,
      symbol: image.symbol(inFrame: first),
      memory: subject.resources?.value.filter { $0.range.contains(first) }.max {
        $0.depth < $1.depth
      }?.name, use: image.frameUse?(first).map(Self.word), pageTables: roles)
  }

  /// By the kernel's struct page of the first frame.
  private static func word(_ use: FrameUse) -> String {
    switch use {
    case .free: "free"
    case .slab: "slab"
    case .other: "in use"
    }
  }

  /// A page is one table of one tree; processes share those of the kernel.
  private var roles: [Role] {
    var found: [Role] = []
    for table in tables {
      let mode = table.space.mode
      func add(_ level: Int, _ address: UInt64, _ physical: UInt64) {
        guard frames.contains(physical) else { return }
        found.append(
          Role(
            table: table.name, level: mode.level(level).name, address: mode.text(address),
            physical: physical.entry, owner: image.owner(ofTable: physical)))
      }
      if let root = table.root { add(mode.root.number, mode.bottom, root) }
      for pointer in table.space.pointers {
        add(pointer.level - 1, pointer.address, mode.tableField.address(in: pointer.entry))
      }
    }
    return found
  }

  // MARK: - Where they are mapped

  /// The parts of a table's leaves that map the frames, in the order of addresses.
  private func mappings(in table: Table) -> some Sequence<Run> {
    let mode = table.space.mode
    return (filter?.runs(of: table) ?? table.space.runs).lazy.compactMap { run -> Run? in
      guard run.isLeaf, let physical = run.physical else { return nil }
      let span = mode.span(of: run)
      // A run that repeats maps one leaf's memory again and again.
      let last = physical &+ ((run.repeats ? min(run.size, span) : run.size) - 1)
      guard physical <= frames.upperBound, frames.lowerBound <= last else { return nil }
      guard !run.repeats || run.size <= span else { return run }
      let start = max(physical, frames.lowerBound) - physical
      let end = min(last, frames.upperBound) - physical
      return run.clipped(from: run.start &+ start, through: run.start &+ end, span: span)
    }
  }

  // MARK: - Reports

  /// Writes the reports, piece by piece: one frame may be mapped a million times.
  ///
  /// - Parameter sink: takes the pieces in order.
  package static func write(
    _ reports: [FrameReport], of subject: Subject, style: Style, to sink: (String) throws -> Void
  ) throws {
    switch style {
    case .text: for report in reports { try report.writeText(to: sink) }
    case .json:
      try sink("{\"header\":\(try json(Header(subject, reports.first?.filter))),\n\"frames\":[")
      for (index, report) in reports.enumerated() {
        try sink(index == 0 ? "\n" : ",\n")
        try report.writeJSON(to: sink)
      }
      try sink("\n]}\n")
    }
  }

  private struct Header: Encodable {
    let schemaVersion = JSONReport.version
    let input: JSONReport.Input
    let filter: String?

    init(_ subject: Subject, _ filter: MappingFilter?) {
      input = JSONReport.input(subject)
      self.filter = filter?.text
    }
  }

  private static func json(_ value: some Encodable) throws -> String {
    String(try JSONReport.encode(value, pretty: false).dropLast())
  }

  private func writeJSON(to sink: (String) throws -> Void) throws {
    try sink("{\"page\":\(try Self.json(page)),\"tables\":[")
    var isFirstTable = true
    for table in tables {
      var lines = try MappingLines(table, of: subject, style: .json)
      var isFirst = true
      for run in mappings(in: table) {
        if isFirst {
          try sink(
            "\(isFirstTable ? "" : ",")\n{\"table\":\(try Self.json(table.name)),\"mappings\":[")
        }
        try lines.append(run, isFirst: isFirst)
        (isFirst, isFirstTable) = (false, false)
        try sink(lines.take())
      }
      if !isFirst { try sink("]}") }
    }
    try sink("]}")
  }

  private func writeText(to sink: (String) throws -> Void) throws {
    let page = page
    let isOne = frames.upperBound - frames.lowerBound < image.mode.granule
    var head = [isOne ? page.physical : "\(page.physical)-\(page.end)"]
    var words = [page.symbol.map { "kernel image, \($0)" }, page.memory].compactMap { $0 }
    words += page.use.map { ["its struct page says \($0)"] } ?? []
    if !page.held { words.append("not in the image") }
    if !words.isEmpty { head.append("  \(words.joined(separator: "; "))") }
    head += page.pageTables.map {
      "  page table: \($0.level) of \($0.table) from \($0.address)"
        + (isOne ? "" : " at \($0.physical)") + ($0.owner.map { ", \($0)" } ?? "")
    }
    try sink(head.asLines)
    var count = 0
    for table in tables {
      var lines = try MappingLines(table, of: subject, style: .table)
      for run in mappings(in: table) {
        count += 1
        lines.append("  \(table.name.oneLine)  ")
        try lines.append(run, isFirst: false)
        try sink(lines.take())
      }
    }
    let read = "\(tables.count.counted("table"))"
    try sink(
      count == 0
        ? "  not mapped in \(read)\n"
        : "  mapped by \(count.counted("run")) of addresses in \(read)\n")
  }
}
