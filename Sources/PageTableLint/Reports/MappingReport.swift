package import KernelImages
internal import MemoryImages
internal import PageTables

/// The mappings themselves, one record a run.
package enum MappingReport {
  package enum Style: String { case table, json, jsonl, csv }

  struct Record: Encodable {
    let start, end: String
    let size: UInt64
    let kind, level, area: String
    let flags: [String]
    let write, user, execute: Bool
    let physical, symbol: String?
  }

  /// - Parameter symbols: name what starts a run of the kernel image.
  package static func text(_ table: Table, style: Style, symbols: Symbols? = nil) -> String {
    let mode = table.space.mode
    let records = table.space.runs.map { run in
      let area = table.layout.area(of: run.start)
      let symbol = run.isLeaf && area.kind == .image ? symbols?.label(around: run.start) : nil
      return Record(
        start: mode.text(run.start), end: mode.text(run.end), size: run.size, kind: "\(run.kind)",
        level: mode.level(Int(max(1, run.level))).name, area: area.name,
        flags: run.kind == .hole ? [] : mode.names(run.flags, level: Int(run.level)),
        write: run.isLeaf && run.effective & mode.write != 0,
        user: run.isLeaf && run.effective & mode.user != 0,
        execute: run.isLeaf && run.effective & mode.noExecute == 0,
        physical: run.physical?.entry,
        symbol: symbol)
    }
    switch style {
    case .json: return (try? JSONReport.encode(records)) ?? ""
    case .jsonl:
      return records.map { record in
        (try? JSONReport.encode(record, pretty: false)) ?? ""
      }.joined()
    case .csv:
      return "start,end,size,kind,level,flags,write,user,execute,physical,area,symbol\n"
        + records.map {
          "\($0.start),\($0.end),\($0.size),\($0.kind),\($0.level),"
            + "\($0.flags.joined(separator: " ")),\($0.write),\($0.user),\($0.execute),"
            + "\($0.physical ?? ""),\($0.area),\($0.symbol ?? "")\n"
        }.joined()
    case .table:
      return zip(records, table.space.runs).map { record, run in
        let own = record.kind == "leaf" ? record.flags.joined(separator: " ") : record.kind
        let effective =
          record.kind == "leaf"
          ? (record.user ? "u" : "-") + (record.write ? "w" : "-") + (record.execute ? "x" : "-")
          : "   "
        return "\(record.start)-\(record.end) \(left(run.size.size, 8)) \(record.level) "
          + "\(effective) \(right(own, 44)) \(right(record.physical ?? "", 14)) \(record.area)"
          + (record.symbol.map { " \($0)\n" } ?? "\n")
      }.joined()
    }
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
        (run.effective & mode.write != 0 ? 0 : 2) + (run.effective & mode.noExecute != 0 ? 0 : 1)
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
    guard table.space.mode.noExecute != 0 else { return "" }
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
