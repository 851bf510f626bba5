internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The mappings themselves, one record a run.
package enum MappingReport {
  package enum Style: String { case table, json, jsonl, csv }

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
  /// - Parameters:
  ///   - width: the terminal's columns; nil where there is none.
  ///   - sink: takes the pieces in order, whole lines each.
  package static func write(
    _ table: Table, of subject: Subject, style: Style, width: Int? = nil,
    to sink: (String) throws -> Void
  ) throws {
    var lines = try MappingLines(table, of: subject, style: style, width: width)
    switch style {
    case .json:
      lines.append("{\"header\":\(try line(header(table, of: subject))),\n\"mappings\":[")
    case .csv:
      lines.append("start,end,size,kind,level,flags,write,user,execute,physical,area,symbol\n")
    case .table: lines.appendTitles(table, of: subject)
    case .jsonl: break
    }
    var isFirst = true
    // People who want holes ask for them: --filter hole.
    let skipsHoles = style == .table && subject.filter == nil
    for run in table.space.runs where !skipsHoles || run.kind != .hole {
      try lines.append(run, isFirst: isFirst)
      isFirst = false
      if lines.bytes.count > 1 << 16 { try sink(lines.take()) }
    }
    if style == .json { lines.append("\n]}\n") }
    try sink(lines.take())
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

  private static func right(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
