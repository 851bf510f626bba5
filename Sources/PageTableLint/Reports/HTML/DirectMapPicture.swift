internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The direct map as a grid of cells, and what lies in the places that are split.
struct DirectMapPicture {
  /// Who has pages in a place that small pages fill.
  struct Splitter {
    let name: String
    /// Places of a large page.
    fileprivate(set) var count: Int
  }

  /// The first address of the grid.
  let base: UInt64
  /// What frames lie above addresses there; nil where it is not known.
  let frames: UInt64?
  private(set) var cellSize: UInt64
  private(set) var cells: [CellFacts]
  let columns = 512
  /// The direct map's places of a large page that small pages fill whole, by who lies there.
  private(set) var splitters: [Splitter] = []
  /// Who the tables belong to that hold the entries; nil where nothing tells it.
  let owners: TableOwners?

  private static let mostRows = 96

  var grid: CellDrawing.Grid { CellDrawing.Grid(cells: cells, columns: columns) }
  var rowSize: UInt64 { cellSize &* UInt64(columns) }

  /// Nil where there is no direct map, or nothing in it.
  init?(_ subject: Subject) {
    let table = subject.kernel
    let mode = table.space.mode
    guard mode.levels.count > 1 else { return nil }
    let runs = table.layout.runs(.directMap, in: table.space)
    var edges: (first: Run, last: Run)?
    for run in runs where run.isLeaf { edges = (edges?.first ?? run, run) }
    guard let edges else { return nil }
    let span = mode.level(2).span
    let row = span &* UInt64(columns)
    let start = (table.layout.first(.directMap)?.start ?? edges.first.start) & ~(span &- 1)
    let from = min(start, edges.first.start)
    base = from &+ (edges.first.start &- from) / row &* row
    frames = edges.first.physical.map { $0 &- edges.first.start }
    cellSize = span
    let size = edges.last.last - base
    while size / cellSize >= UInt64(columns * Self.mostRows) { cellSize &*= 2 }
    cells = Array(repeating: [], count: Int(size / cellSize) + 1)
    for run in runs {
      let facts = CellFacts(run, mode)
      guard !facts.isEmpty, run.start <= edges.last.last else { continue }
      let last = min(run.last, edges.last.last)
      for cell in Int((run.start - base) / cellSize)...Int((last - base) / cellSize) {
        cells[cell].insert(facts)
      }
    }
    let places = TableStatistics.splitPlaces(table, mode.level(2))
    for place in places {
      cells[Int((place.start - base) / cellSize)]
        .insert(place.isAlike ? .splitAlike : .splitDiffers)
    }
    for failure in subject.selfTests.flatMap(\.failures)
    where failure.failure.address >= base && failure.failure.address <= edges.last.last {
      cells[Int((failure.failure.address - base) / cellSize)].insert(.failed)
    }
    splitters = Self.splitters(of: places.map(\.start), span: span, frames: frames, subject)
    owners = TableOwners(subject)
    if let owners { draw(owners) }
  }

  /// Says of each cell that maps something whether tables of the kernel image do.
  private mutating func draw(_ owners: TableOwners) {
    for part in owners.parts {
      let places = Int((part.first - base) / cellSize)...Int((part.last - base) / cellSize)
      for cell in places where cell < cells.count { cells[cell].insert(.imageTable) }
    }
    for cell in cells.indices
    where !cells[cell].isDisjoint(with: .mapped) && !cells[cell].contains(.imageTable) {
      cells[cell].insert(.otherTable)
    }
  }

  /// Puts each two cells together: half as many, and no fact is lost.
  mutating func halve() {
    cellSize &*= 2
    cells = stride(from: 0, to: cells.count, by: 2).map { index in
      index + 1 < cells.count ? cells[index].union(cells[index + 1]) : cells[index]
    }
  }

  /// Whose pages lie in places of large pages; each place counts for the first that has one there.
  private static func splitters(
    of places: [UInt64], span: UInt64, frames: UInt64?, _ subject: Subject
  ) -> [Splitter] {
    guard !places.isEmpty else { return [] }
    let failed = Set(subject.selfTests.flatMap(\.failures).map { $0.failure.address / span })
    var owners: [(name: String, places: Set<UInt64>)] = [
      ("the CPA self-test: an address that it failed on", failed)
    ]
    if let frames {
      let ranges = subject.frameRanges
      owners += ranges.map { name, ranges in
        var found: Set<UInt64> = []
        for range in ranges {
          let first = (range.lowerBound &- frames) / span
          let last = (range.upperBound &- frames) / span
          guard first <= last, last - first < 1 << 20 else { continue }
          found.formUnion(first...last)
        }
        return (name, found)
      }
    }
    let rest =
      subject.globalTestRan || !failed.isEmpty
      ? "nothing here names it; the CPA self-test ran, and splits at random"
      : "nothing here names it"
    var counts = Array(repeating: 0, count: owners.count + 1)
    for place in places {
      let number = place / span
      counts[owners.firstIndex { $0.places.contains(number) } ?? owners.count] += 1
    }
    return zip(owners.map(\.name) + [rest], counts).filter { $0.1 > 0 }
      .map { Splitter(name: $0.0, count: $0.1) }
  }
}

extension Subject {
  /// The frames of who may split the direct map, the surest first.
  fileprivate var frameRanges: [(name: String, ranges: [ClosedRange<UInt64>])] {
    var owners: [(name: String, ranges: [ClosedRange<UInt64>])] = []
    let poisoned = (log?.value).map { log in
      PoisonLog.read(log).keys.filter { $0 < 1 << 40 }.map { $0 << 12...($0 << 12 | 0xfff) }
    }
    owners.append(("memory that failed, by the log", poisoned ?? []))
    owners.append(("the kernel image", image?.imageFrames.map { [$0] } ?? []))
    owners.append(("modules and BPF programs", frames(mappedAs: [.code])))
    if let pool = image?.kfencePool, let base = facts.directMap?.value, pool.lowerBound >= base {
      owners.append(("KFENCE's pool", [pool.lowerBound - base...pool.upperBound - base]))
    }
    owners.append(
      ("what vmalloc's area maps read-only or executable", frames(mappedAs: [.allocations])))
    return owners
  }

  /// The frames that areas of some roles map, of memory that vmalloc hands out only what is
  /// protected as the direct map is not.
  private func frames(mappedAs roles: Set<Area.Kind.Role>) -> [ClosedRange<UInt64>] {
    kernel.layout.areas.filter { roles.contains($0.kind.role) }.flatMap { area in
      kernel.space.runs(from: area.start, through: area.last).compactMap { run in
        guard run.isLeaf, let first = run.physical,
          area.kind.role == .code || !run.access.isWritable || run.access.isExecutable
        else { return nil }
        let size = run.repeats ? min(run.size, mode.span(of: run)) : run.size
        return first...max(first, first &+ (size &- 1))
      }
    }
  }
}
