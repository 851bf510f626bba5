/// The areas of an address space; where two overlap, the first goes before.
///
/// They are found by address: the dumps' own markers lag and lie.
package struct Layout: Sendable {
  package let areas: [Area]

  package init(areas: [Area]) { self.areas = areas }

  /// The runs of the areas of a kind, without what lies in an area that goes before.
  package func runs(
    _ kind: Area.Kind, in space: AddressSpace
  ) -> FlattenSequence<[ArraySlice<Run>]> {
    stretches(kind, in: space).flatMap(\.pieces).joined()
  }

  /// The same, side by side as far as no other area lies between.
  package func stretches(_ kind: Area.Kind, in space: AddressSpace) -> [ClippedRuns] {
    ranges(kind).map { space.runs(from: $0.lowerBound, through: $0.upperBound) }
  }

  /// The runs of the kernel's half that lie in no area of a kind.
  package func kernelRuns(
    outside kind: Area.Kind, in space: AddressSpace
  ) -> FlattenSequence<[ArraySlice<Run>]> {
    RangeSet(ranges(kind)).gaps(in: space.mode.upperHalf...(~0)).flatMap {
      space.runs(from: $0.lowerBound, through: $0.upperBound).pieces
    }.joined()
  }

  /// The addresses of the areas of a kind, without what lies in an area that goes before.
  private func ranges(_ kind: Area.Kind) -> [ClosedRange<UInt64>] {
    areas.indices.filter { areas[$0].kind == kind }.flatMap { index in
      areas[index].range.map(RangeSet(areas[..<index].compactMap(\.range)).gaps) ?? []
    }
  }

  /// The area that holds `address`.
  package func area(of address: UInt64) -> Area {
    areas.first { $0.contains(address) } ?? Area(kind: .other, start: address, last: address)
  }

  /// The area that holds `address`, and an address up to which it goes on without another's start.
  package func stretch(at address: UInt64) -> (area: Area, last: UInt64) {
    let area = area(of: address)
    let starts = areas.lazy.map(\.start).filter { $0 > address }
    let next = starts.min().map { $0 &- 1 } ?? ~0
    return (area, area.kind == .other ? next : min(area.last, next))
  }

  /// Whether an address lies in an area of a kind, or may do so because nothing tells where the area
  /// is.
  package func mayBe(_ kind: Area.Kind, at address: UInt64) -> Bool {
    let own = area(of: address).kind
    return own == kind || own == .other && first(kind) == nil
  }

  package func first(_ kind: Area.Kind) -> Area? { areas.first { $0.kind == kind } }
}
