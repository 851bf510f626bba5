package import MemoryImages
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

  /// Each area's bytes by page size, and by what is allowed there.
  package static func statistics(_ table: Table) -> String {
    let mode = table.space.mode
    var sizes: [String: [UInt8: UInt64]] = [:]
    var protections: [String: [String: UInt64]] = [:]
    var order: [String] = []
    for run in table.space.runs where run.isLeaf {
      let area = table.layout.area(of: run.start).name
      if sizes[area] == nil { order.append(area) }
      sizes[area, default: [:]][run.level, default: 0] &+= run.size
      let protection =
        (run.effective & mode.write != 0 ? "RW" : "ro")
        + (run.effective & mode.noExecute != 0 ? " NX" : " x")
      protections[area, default: [:]][protection, default: 0] &+= run.size
    }
    let lines = order.map { area in
      let bySize = (sizes[area] ?? [:]).sorted { $0.key < $1.key }.map {
        "\(mode.level(Int($0.key)).span.size) \($0.value.readableSize)"
      }
      let byProtection = (protections[area] ?? [:]).sorted { $0.key < $1.key }.map {
        "\($0.key) \($0.value.readableSize)"
      }
      return right(area, 22) + right(bySize.joined(separator: ", "), 30) + " "
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
