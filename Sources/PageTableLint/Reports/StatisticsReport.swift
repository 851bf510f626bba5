internal import KernelImages
internal import PageTables

/// `stats` for programs: JSON and OpenMetrics.
package enum StatisticsReport {
  private struct Document: Encodable {
    let schemaVersion = JSONReport.version
    let input: JSONReport.Input
    let table: String
    let areas: [Area]
    let directMap: DirectMap
    let writableExecutablePages: UInt64
  }
  /// The figures of one input of `check`.
  struct Record: Encodable {
    let input: Int
    let table: String
    private let areas: [Area]
    private let directMap: DirectMap
    let writableExecutablePages: UInt64
    private let directMapTables: [TableOwners.Share]?
    private let tables: [TableRecord]
    private let memoryMap: [MemoryRange]?

    init(_ statistics: Linter.Report.Statistics, input: Int) {
      self.input = input
      table = statistics.table.name
      areas = StatisticsReport.areas(statistics.figures)
      directMap = StatisticsReport.directMap(statistics.figures)
      writableExecutablePages = statistics.writableExecutablePages
      directMapTables = statistics.owners.isEmpty ? nil : statistics.owners
      tables = statistics.tables.map {
        TableRecord(
          table: $0.table.name, root: $0.root?.entry, mapped: $0.mapped,
          writableExecutablePages: $0.writableExecutablePages)
      }
      let ranges = statistics.memoryMap.map {
        MemoryRange(
          start: $0.start.entry, end: ($0.last &+ 1).entry, name: $0.name, depth: $0.depth)
      }
      memoryMap = ranges.isEmpty ? nil : ranges
    }
  }
  fileprivate struct TableRecord: Encodable {
    let table: String
    let root: String?
    let mapped, writableExecutablePages: UInt64
  }
  fileprivate struct MemoryRange: Encodable {
    let start, end, name: String
    let depth: Int
  }
  fileprivate struct Area: Encodable {
    let area: String
    let sizes: [Size]
    let protections: [Protection]
  }
  fileprivate struct Size: Encodable { let pageSize, bytes: UInt64 }
  fileprivate struct Protection: Encodable {
    let write, execute: Bool
    let bytes: UInt64
  }
  fileprivate struct DirectMap: Encodable {
    let pages: [Pages]
    let splits: [Split]
  }
  fileprivate struct Pages: Encodable { let pageSize, count: UInt64 }
  fileprivate struct Split: Encodable {
    let pageSize, count: UInt64
    let differs: [String]
  }

  package static func json(_ table: Table, of subject: Subject) throws -> String {
    let figures = TableStatistics(table)
    return try JSONReport.encode(
      Document(
        input: JSONReport.input(subject), table: table.name, areas: areas(figures),
        directMap: directMap(figures), writableExecutablePages: WritableExecutable(table).pages))
  }

  private static func areas(_ figures: TableStatistics) -> [Area] {
    figures.areas.map { area in
      Area(
        area: area.area,
        sizes: area.bySize.sorted { $0.key < $1.key }.map {
          Size(pageSize: $0.key, bytes: $0.value)
        },
        protections: sorted(area.byProtection).map {
          Protection(write: $0.key.write, execute: $0.key.execute, bytes: $0.value)
        })
    }
  }

  private static func directMap(_ figures: TableStatistics) -> DirectMap {
    DirectMap(
      pages: figures.directMapPages.sorted { $0.key < $1.key }.map {
        Pages(pageSize: $0.key, count: $0.value)
      },
      splits: sorted(figures.splits).map {
        Split(pageSize: $0.size, count: $0.count, differs: $0.differs)
      })
  }

  /// Gauges, with the input and the table as labels.
  ///
  /// Source: OpenMetrics 1.0.0, "Text format".
  package static func openMetrics(_ table: Table, of subject: Subject) -> String {
    let figures = TableStatistics(table)
    let here = "input=\"\(escaped(subject.path))\",table=\"\(escaped(table.name))\""
    var lines: [String] = []
    func family(_ name: String, _ help: String, unit: String? = nil) {
      lines.append("# TYPE \(name) gauge")
      if let unit { lines.append("# UNIT \(name) \(unit)") }
      lines.append("# HELP \(name) \(help)")
    }
    family("ptdump_mapped_bytes", "Mapped memory by area and page size.", unit: "bytes")
    for area in figures.areas {
      for (size, bytes) in area.bySize.sorted(by: { $0.key < $1.key }) {
        lines.append(
          "ptdump_mapped_bytes{\(here),area=\"\(escaped(area.area))\",page_size=\"\(size)\"} "
            + "\(bytes)")
      }
    }
    family("ptdump_protected_bytes", "Mapped memory by area and protection.", unit: "bytes")
    for area in figures.areas {
      for (protection, bytes) in sorted(area.byProtection) {
        lines.append(
          "ptdump_protected_bytes{\(here),area=\"\(escaped(area.area))\","
            + "write=\"\(protection.write)\",execute=\"\(protection.execute)\"} \(bytes)")
      }
    }
    family("ptdump_direct_map_pages", "Pages of the direct map by their size.")
    for (size, count) in figures.directMapPages.sorted(by: { $0.key < $1.key }) {
      lines.append("ptdump_direct_map_pages{\(here),page_size=\"\(size)\"} \(count)")
    }
    family(
      "ptdump_direct_map_splits",
      "Places of a large page that small ones map, by what those differ in.")
    for split in sorted(figures.splits) {
      lines.append(
        "ptdump_direct_map_splits{\(here),page_size=\"\(split.size)\","
          + "differs=\"\(escaped(split.differs.joined(separator: " ")))\"} \(split.count)")
    }
    family("ptdump_writable_executable_pages", "4 KiB pages that are writable and executable.")
    lines.append(
      "ptdump_writable_executable_pages{\(here)} \(WritableExecutable(table).pages)")
    return (lines + ["# EOF"]).joined(separator: "\n") + "\n"
  }

  private static func sorted(_ parts: [TableStatistics.Protection: UInt64])
    -> [(key: TableStatistics.Protection, value: UInt64)]
  {
    parts.sorted {
      ($0.key.write ? 2 : 0, $0.key.execute ? 1 : 0) < (
        $1.key.write ? 2 : 0, $1.key.execute ? 1 : 0
      )
    }
  }

  static func sorted(_ splits: [TableStatistics.Split]) -> [TableStatistics.Split] {
    splits.sorted { ($0.size, $0.differs.joined()) < ($1.size, $1.differs.joined()) }
  }

  private static func escaped(_ text: String) -> String {
    text.printable.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
      .replacing("\n", with: "\\n")
  }
}
