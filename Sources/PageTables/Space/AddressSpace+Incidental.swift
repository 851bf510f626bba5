internal import Dispatch
internal import Synchronization

extension AddressSpace {
  /// The runs of one part, where parts are merged side by side.
  private static let together = 1 << 14

  /// The same with neighbouring leaves as one run where only incidental flags tell them apart.
  ///
  /// Such a run has the flags of its first leaf.
  package var withoutIncidental: AddressSpace {
    let parts = partsApart()
    let (runs, mode) = (runs, mode)
    let merged = Mutex(Array(repeating: [Run](), count: parts.count))
    DispatchQueue.concurrentPerform(iterations: parts.count) { index in
      var found: [Run] = []
      for run in runs[parts[index]] {
        Run.append(run, to: &found, mode: mode, ignoring: mode.incidental)
      }
      merged.withLock { [found] in $0[index] = found }
    }
    var space = self
    let found = merged.withLock { $0 }
    space.tellsIncidental = false
    space.runs = []
    space.runs.reserveCapacity(found.reduce(0) { $0 + $1.count })
    for part in found {
      if let first = part.first {
        Run.append(first, to: &space.runs, mode: mode, ignoring: mode.incidental)
      }
      space.runs += part.dropFirst()
    }
    return space
  }

  /// Parts that are cut alike by themselves and after the one before: a run of several leaves shows
  /// by itself whether their frames are in one row.
  private func partsApart() -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var start = 0
    while start < runs.count {
      var end = min(start + Self.together, runs.count)
      while end < runs.count, runs[end].isLeaf, runs[end].size <= mode.span(of: runs[end]) {
        end += 1
      }
      parts.append(start..<end)
      start = end
    }
    return parts
  }
}
