internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The mappings themselves, one record a run.
package enum MappingReport {
  package enum Style: String { case table, json, jsonl, csv }

  private struct Record: Encodable {
    /// In a line of its own; the header names it elsewhere.
    var input: String?
    let start, end: String
    let size: UInt64
    let pageSize: UInt64?
    let kind, level, area: String
    let flags: [String]
    let rawFlags: String
    let write, user, execute: Bool
    let physical, symbol: String?
  }

  private struct Header: Encodable {
    let schemaVersion = JSONReport.version
    let input, format, architecture, mode, table: String
    let release: String?
    let complete: Bool
    let facts: [String: JSONReport.FactRecord]
    let areas: [Stretch]
    let range: JSONReport.Range?
    let filter: String?
  }

  private struct Stretch: Encodable { let area, start, end: String }

  /// Writes a table's mappings, piece by piece: memory does not grow with them.
  ///
  /// - Parameter sink: takes the pieces in order.
  package static func write(
    _ table: Table, of subject: Subject, style: Style, to sink: (String) throws -> Void
  ) throws {
    var pending = ""
    func put(_ text: String) throws {
      pending += text
      guard pending.utf8.count > 1 << 16 else { return }
      try sink(pending)
      pending = ""
    }
    switch style {
    case .json:
      try put(
        "{\"header\":\(try line(header(table, of: subject))),\n\"mappings\":[")
    case .csv:
      try put("start,end,size,kind,level,flags,write,user,execute,physical,area,symbol\n")
    case .jsonl, .table: break
    }
    var isFirst = true
    for run in table.space.runs {
      var record = self.record(run, in: table, of: subject)
      switch style {
      case .json: try put((isFirst ? "\n" : ",\n") + line(record))
      case .jsonl:
        record.input = subject.path
        try put(line(record) + "\n")
      case .csv: try put(row(record))
      case .table: try put(row(record, run))
      }
      isFirst = false
    }
    if style == .json { try put("\n]}\n") }
    try sink(pending)
  }

  private static func line(_ value: some Encodable) throws -> String {
    String(try JSONReport.encode(value, pretty: false).dropLast())
  }

  private static func header(_ table: Table, of subject: Subject) -> Header {
    let input = JSONReport.input(subject)
    let mode = table.space.mode
    return Header(
      input: input.path, format: input.format, architecture: input.architecture,
      mode: input.pagingMode, table: table.name, release: input.release, complete: input.complete,
      facts: input.facts,
      areas: table.layout.areas.map {
        Stretch(area: $0.name, start: mode.text($0.start), end: mode.text($0.last &+ 1))
      }, range: input.range, filter: input.filter)
  }

  private static func record(_ run: Run, in table: Table, of subject: Subject) -> Record {
    let mode = table.space.mode
    let area = table.layout.area(of: run.start)
    let symbol =
      run.isLeaf && area.kind == .image ? subject.symbols?.label(around: run.start) : nil
    return Record(
      start: mode.text(run.start), end: mode.text(run.end), size: run.size,
      pageSize: run.isLeaf ? mode.span(of: run) : nil, kind: "\(run.kind)",
      level: mode.level(Int(max(1, run.level))).name, area: area.name,
      flags: run.kind == .hole ? [] : mode.names(run.flags, level: Int(run.level)),
      rawFlags: run.flags.entry, write: run.isLeaf && run.access.isWritable,
      user: run.isLeaf && run.access.isUser, execute: run.isLeaf && run.access.isExecutable,
      physical: run.physical?.entry, symbol: symbol)
  }

  private static func row(_ record: Record) -> String {
    "\(record.start),\(record.end),\(record.size),\(record.kind),\(record.level),"
      + "\(record.flags.joined(separator: " ")),\(record.write),\(record.user),"
      + "\(record.execute),\(record.physical ?? ""),\(record.area),\(record.symbol ?? "")\n"
  }

  private static func row(_ record: Record, _ run: Run) -> String {
    let own = run.isLeaf ? record.flags.joined(separator: " ") : record.kind
    let effective =
      run.isLeaf
      ? (record.user ? "u" : "-") + (record.write ? "w" : "-") + (record.execute ? "x" : "-")
      : "   "
    return "\(record.start)-\(record.end) \(left(run.size.size, 8)) \(record.level) "
      + "\(effective) \(right(own, 44)) \(right(record.physical ?? "", 14)) \(record.area)"
      + (record.symbol.map { " \($0)\n" } ?? "\n")
  }

  /// What an area maps, in bytes.
  private struct Bytes {
    /// By the number of the level.
    var byLevel: [UInt64] = Array(repeating: 0, count: 8)
    /// Writable or not, in each no-execute or not.
    var byProtection: [UInt64] = Array(repeating: 0, count: 4)
  }

  /// Each area's bytes by page size, and by what is allowed there.
  package static func statistics(_ table: Table) -> String {
    let mode = table.space.mode
    var areas: [(name: String, bytes: Bytes)] = []
    var place = 0
    var last: UInt64?
    for run in table.space.runs where run.isLeaf {
      if last.map({ run.start > $0 }) ?? true {
        let stretch = table.layout.stretch(at: run.start)
        last = stretch.last
        let name = stretch.area.name
        place = areas.firstIndex { $0.name == name } ?? areas.count
        if place == areas.count { areas.append((name, Bytes())) }
      }
      areas[place].bytes.byLevel[Int(run.level)] &+= run.size
      let protection =
        (run.access.isWritable ? 0 : 2) + (run.access.isExecutable ? 1 : 0)
      areas[place].bytes.byProtection[protection] &+= run.size
    }
    let lines = areas.map { name, bytes in
      let bySize = bytes.byLevel.enumerated().filter { $0.element != 0 }.map {
        "\(mode.level($0.offset).span.size) \($0.element.readableSize)"
      }
      let byProtection = zip(["RW NX", "RW x", "ro NX", "ro x"], bytes.byProtection)
        .filter { $0.1 != 0 }.map { "\($0.0) \($0.1.readableSize)" }
      return right(name, 22) + right(bySize.joined(separator: ", "), 30) + " "
        + byProtection.joined(separator: ", ") + "\n"
    }
    return lines.joined() + writableExecutable(table)
      + (table.space.hasPhysical ? "tables read: \(table.space.tablesRead)\n" : "")
  }

  private static func writableExecutable(_ table: Table) -> String {
    guard table.space.mode.forbidsExecution else { return "" }
    let found = WritableExecutable(table)
    let remark =
      !table.space.hasPhysical
      ? " by their own bits"
      : found.pages != found.pagesTheKernelCounts
        ? "; the kernel's own check sees \(found.pagesTheKernelCounts)" : ""
    return "W+X pages: \(found.pages)\(remark)\n"
  }

  private static func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  private static func right(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
