/// The areas of an address space; where two overlap, the first goes before.
///
/// They are found by address: the dumps' own markers lag and lie.
package struct Layout: Sendable {
  package let areas: [Area]

  package init(areas: [Area]) { self.areas = areas }

  /// The runs of the areas of a kind, without what lies in an area that goes before.
  package func runs(_ kind: Area.Kind, in space: AddressSpace) -> FlattenSequence<[ClippedRuns]> {
    var found: [ClippedRuns] = []
    for (index, area) in areas.enumerated() where area.kind == kind {
      var from = area.start
      let inside = areas[..<index].filter { $0.last >= area.start && $0.start <= area.last }
      for other in inside.sorted(by: { $0.start < $1.start }) {
        if other.start > from { found.append(space.runs(from: from, through: other.start &- 1)) }
        from = max(from, other.last &+ 1)
      }
      if from <= area.last { found.append(space.runs(from: from, through: area.last)) }
    }
    return found.joined()
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
