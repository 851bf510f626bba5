/// Addresses as ranges in ascending order, without overlap; neighbours are one range.
package struct RangeSet: Sendable, Equatable, RandomAccessCollection {
  package private(set) var ranges: [ClosedRange<UInt64>] = []

  package init(_ ranges: some Sequence<ClosedRange<UInt64>> = []) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(range) }
  }

  /// - Parameter range: starts no earlier than any range before it.
  private mutating func append(_ range: ClosedRange<UInt64>) {
    if let last = ranges.last,
      last.upperBound == .max || range.lowerBound <= last.upperBound + 1
    {
      ranges[ranges.count - 1] = last.lowerBound...Swift.max(last.upperBound, range.upperBound)
    } else {
      ranges.append(range)
    }
  }

  package var startIndex: Int { ranges.startIndex }
  package var endIndex: Int { ranges.endIndex }
  package subscript(index: Int) -> ClosedRange<UInt64> { ranges[index] }

  package func contains(_ address: UInt64) -> Bool {
    let index = ranges.partitioningIndex { $0.upperBound >= address }
    return index < ranges.count && ranges[index].contains(address)
  }

  /// Whether a part of `range` belongs to these.
  package func overlaps(_ range: ClosedRange<UInt64>) -> Bool {
    let index = ranges.partitioningIndex { $0.upperBound >= range.lowerBound }
    return index < ranges.count && ranges[index].lowerBound <= range.upperBound
  }

  /// The parts of `range` that belong to these.
  package func parts(in range: ClosedRange<UInt64>) -> some Sequence<ClosedRange<UInt64>> {
    let first = ranges.partitioningIndex { $0.upperBound >= range.lowerBound }
    return ranges[first...].lazy.prefix { $0.lowerBound <= range.upperBound }.map {
      $0.clamped(to: range)
    }
  }

  /// The parts of `range` that belong to none of these.
  package func gaps(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    var found: [ClosedRange<UInt64>] = []
    var from = range.lowerBound
    let first = ranges.partitioningIndex { $0.upperBound >= from }
    for part in ranges[first...] {
      guard part.lowerBound <= range.upperBound else { break }
      if part.lowerBound > from { found.append(from...(part.lowerBound - 1)) }
      if part.upperBound >= range.upperBound { return found }
      from = part.upperBound + 1
    }
    found.append(from...range.upperBound)
    return found
  }
}
