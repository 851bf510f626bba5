/// The runs inside a range of addresses, the first and the last of them clipped to it; no copies.
package struct ClippedRuns: RandomAccessCollection, Sendable {
  @usableFromInline let runs: ArraySlice<Run>
  // What stands for the first and the last of `runs`.
  @usableFromInline let first: Run?
  @usableFromInline let last: Run?

  init(_ space: AddressSpace, from: UInt64, through: UInt64) {
    let start = space.runs.partitioningIndex { $0.last >= from }
    let end = Swift.max(start, space.runs.partitioningIndex { $0.start > through })
    runs = from <= through ? space.runs[start..<end] : []
    func clipped(_ run: Run) -> Run? {
      run.clipped(from: from, through: through, span: space.mode.span(of: run))
    }
    first = runs.first.flatMap(clipped)
    last = runs.last.flatMap(clipped)
  }

  @inlinable package var startIndex: Int { runs.startIndex }
  @inlinable package var endIndex: Int { runs.endIndex }
  @inlinable package var indices: Range<Int> { runs.startIndex..<runs.endIndex }

  @inlinable package subscript(index: Int) -> Run {
    @inline(__always) get {
      if index == runs.startIndex, let first { return first }
      if index == runs.endIndex - 1, let last { return last }
      return runs[index]
    }
  }

  /// The same in up to three pieces, which other modules read in place: a loop over these runs
  /// themselves calls a function for each.
  package var pieces: [ArraySlice<Run>] {
    guard let first, let last else { return [] }
    return runs.count == 1 ? [[first]] : [[first], runs.dropFirst().dropLast(), [last]]
  }
}
