internal import PageTables

/// The direct map's leaves in a few classes, so that one look tells which lie under a mapping: a
/// hostile image may map all of them from each of a million places.
struct DirectMapLeaves {
  private let base: UInt64
  private let area: Area
  private let mode: TableFormat
  private let leaves: [Run]
  /// For each class that occurs, how many of the leaves before each are of it.
  private var counts: [Int: [UInt32]] = [:]

  /// - Parameters:
  ///   - base: the direct map's start.
  ///   - classify: the class of a leaf; there must be few.
  init?(of table: Table, base: UInt64, classify: (Run) -> Int) {
    guard let area = table.layout.first(.directMap),
      area.contains(base) || !table.space.mode.hasOneRoot
    else { return nil }
    self.base = base
    self.area = area
    mode = table.space.mode
    leaves = table.runs(from: area.start, through: area.last).filter(\.isLeaf)
    let classes = leaves.map(classify)
    for name in Set(classes) {
      var before: [UInt32] = [0]
      before.reserveCapacity(classes.count + 1)
      var count: UInt32 = 0
      for other in classes {
        if other == name { count &+= 1 }
        before.append(count)
      }
      counts[name] = before
    }
  }

  /// The classes of the leaves that map a run's frames.
  func classes(under run: Run) -> [Int] {
    guard run.isLeaf, let physical = run.physical, area.contains(base &+ physical) else {
      return []
    }
    let span = mode.span(of: run)
    let size = run.repeats ? min(run.size, span) : run.size
    let start = base &+ physical
    let through = size - 1 > area.last - start ? area.last : start &+ (size - 1)
    let first = leaves.partitioningIndex { $0.last >= start }
    let end = leaves.partitioningIndex { $0.start > through }
    guard first < end else { return [] }
    return counts.filter { $0.value[end] > $0.value[first] }.map(\.key)
  }
}
