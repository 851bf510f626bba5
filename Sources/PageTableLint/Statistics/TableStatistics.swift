internal import PageTables

/// What tables map, in figures: by area, page size and protection, and what splits the direct map.
package struct TableStatistics: Sendable, Codable {
  /// What an area maps.
  package struct Mapped: Sendable, Codable {
    package let area: String
    /// Bytes by the size of a page.
    package fileprivate(set) var bySize: [UInt64: UInt64] = [:]
    /// Bytes by what is allowed.
    package fileprivate(set) var byProtection: [Protection: UInt64] = [:]
  }

  package struct Protection: Sendable, Hashable, Codable {
    package let write: Bool
    package let execute: Bool
  }

  /// Places of a large page that small pages map whole, and what the small ones differ in.
  package struct Split: Sendable, Equatable, Codable {
    /// The size of the large page.
    package let size: UInt64
    /// The flags that are not alike; none where one large page would do.
    package let differs: [String]
    package fileprivate(set) var count: UInt64
  }

  package private(set) var areas: [Mapped] = []
  package private(set) var splits: [Split] = []
  /// Leaves of the direct map by their size.
  package private(set) var directMapPages: [UInt64: UInt64] = [:]
  /// All that the direct map maps.
  var directMapBytes: UInt64 { directMapPages.reduce(0) { $0 &+ $1.key &* $1.value } }

  package init(_ table: Table) {
    let mode = table.space.mode
    var index = 0
    var last: UInt64?
    for run in table.space.runs where run.isLeaf {
      if last.map({ run.start > $0 }) ?? true {
        let stretch = table.layout.stretch(at: run.start)
        last = stretch.last
        index = areas.firstIndex { $0.area == stretch.area.name } ?? areas.count
        if index == areas.count { areas.append(Mapped(area: stretch.area.name)) }
      }
      areas[index].bySize[mode.span(of: run), default: 0] &+= run.size
      let access = run.access
      let protection = Protection(write: access.isWritable, execute: access.isExecutable)
      areas[index].byProtection[protection, default: 0] &+= run.size
    }
    for run in table.layout.runs(.directMap, in: table.space) where run.isLeaf {
      let span = mode.span(of: run)
      directMapPages[span, default: 0] &+= run.size / span
    }
    for level in mode.levels.dropFirst() where level.mayBeLeaf { countSplits(table, level) }
  }

  /// A place of a level's page in the direct map that small pages fill whole.
  struct SplitPlace {
    let start: UInt64
    /// The flags that are not alike.
    let flags: UInt64
    /// Whether the frames are in one row, as a large page's are.
    let isOneRow: Bool

    /// Whether one large page would do.
    var isAlike: Bool { flags == 0 && isOneRow }
  }

  /// A place, as far as the runs so far fill it.
  private struct Place {
    var number: UInt64
    var filled: UInt64
    var common: UInt64
    var all: UInt64
    /// What the frames lie above the addresses; nil where they are not in one row.
    var offset: UInt64?
    var isOneRow = true

    func split(_ span: UInt64) -> SplitPlace? {
      filled == span
        ? SplitPlace(start: number &* span, flags: all & ~common, isOneRow: isOneRow) : nil
    }
  }

  /// The places of a level's page that small pages fill whole, in the order of the direct map.
  static func splitPlaces(_ table: Table, _ level: TableFormat.Level) -> [SplitPlace] {
    let mode = table.space.mode
    let span = level.span
    var found: [SplitPlace] = []
    var place: Place?
    for run in table.layout.runs(.directMap, in: table.space)
    where run.isLeaf && mode.span(of: run) < span {
      let flags = run.flags & ~mode.incidental
      let offset = run.physical.map { $0 &- run.start }
      var at = run.start
      while true {
        let number = at / span
        let end = min(run.last, at | (span - 1))
        if place?.number != number {
          if let split = place?.split(span) { found.append(split) }
          place = Place(number: number, filled: 0, common: ~0, all: 0, offset: offset)
        }
        place?.filled &+= end - at + 1
        place?.common &= flags
        place?.all |= flags
        if place?.offset != offset || run.repeats { place?.isOneRow = false }
        guard end < run.last else { break }
        at = end + 1
      }
    }
    if let split = place?.split(span) { found.append(split) }
    return found
  }

  private mutating func countSplits(_ table: Table, _ level: TableFormat.Level) {
    let mode = table.space.mode
    for place in Self.splitPlaces(table, level) {
      var differs = Self.names(place.flags, mode)
      if !place.isOneRow { differs.append("frames") }
      if let index = splits.firstIndex(where: { $0.size == level.span && $0.differs == differs }) {
        splits[index].count += 1
      } else {
        splits.append(Split(size: level.span, differs: differs, count: 1))
      }
    }
  }

  private static func names(_ flags: UInt64, _ mode: TableFormat) -> [String] {
    var names: [String] = []
    for flag in mode.attributes where flag.mask & flags != 0 && !names.contains(flag.set) {
      names.append(flag.set)
    }
    return names
  }
}
