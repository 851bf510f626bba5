internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What lies at the same distance from two bases.
extension Comparison {
  func state(_ run: Run, _ mode: TableFormat, frame: UInt64?) -> State? {
    switch run.kind {
    case .unreadable: return nil
    case .hole: return State()
    case .notPresent:
      // A text dump prints them as it prints holes, or not at all.
      return hasFrames ? State(kind: .notPresent) : State()
    case .leaf:
      let flags = run.level > 1 ? mode.asPage(run.flags, level: Int(run.level)) : run.flags
      return State(
        kind: .leaf, level: run.level, flags: flags & mask,
        access: hasFrames ? run.access : nil, frame: frame)
    }
  }

  /// - Parameters:
  ///   - base: the area's start where it is nil.
  ///   - frames: the frame that belongs to the base; nil where frames are handed out anew.
  func part(
    _ table: Table, _ subject: Subject, _ kind: Area.Kind, base: UInt64? = nil,
    frames: UInt64? = nil
  ) -> Part {
    let base = base ?? table.layout.first(kind)?.start ?? 0
    var runs = Array(table.layout.runs(kind, in: table.space))
    if kind == .directMap, table.space.mode.architecture.imageIsInDirectMap {
      runs = (runs + table.layout.runs(.image, in: table.space)).sorted { $0.start < $1.start }
    }
    runs = runs.filter { $0.kind != .hole }.flatMap { run in
      // Distances wrap at the base.
      run.start < base && base <= run.last
        ? [
          run.clipped(from: run.start, through: base - 1, span: table.space.mode.span(of: run)),
          run.clipped(from: base, through: run.last, span: table.space.mode.span(of: run)),
        ].compactMap { $0 } : [run]
    }
    let segments = runs.map { run in
      let offset = run.start &- base
      let frame =
        hasFrames ? frames.flatMap { first in run.physical.map { $0 &- first &- offset } } : nil
      return Segment(
        start: offset, last: run.last &- base,
        state: state(run, table.space.mode, frame: run.repeats ? run.physical : frame))
    }
    return Part(base: base, segments: segments)
  }

  /// What is different at the same distance from two bases.
  mutating func compare(
    _ old: Part, _ new: Part, _ oldTable: Table, _ newTable: Table, _ kind: Area.Kind,
    named area: String? = nil
  ) {
    let area = area ?? kind.name
    var found: [(start: UInt64, last: UInt64, old: State, new: State)] = []
    var cursors = (old: Cursor(old.segments), new: Cursor(new.segments))
    var at: UInt64 = 0
    // Distances wrap: what lies before the base comes last.
    let starts = (old.segments + new.segments).flatMap { [$0.start, $0.last &+ 1] }
    let bounds = Set(starts).sorted()
    for (index, bound) in bounds.enumerated() {
      at = bound
      let last = (index + 1 < bounds.count ? bounds[index + 1] : 0) &- 1
      guard let was = cursors.old.state(at: at), let now = cursors.new.state(at: at), was != now,
        !([.directMap, .image].contains(kind) && isLive(was, now))
      else { continue }
      if let previous = found.last, previous.last &+ 1 == at, previous.old == was,
        previous.new == now
      {
        found[found.count - 1].last = last
      } else {
        found.append((start: at, last: last, old: was, new: now))
      }
    }
    changes += found.map { piece in
      change(
        was: piece.old, now: piece.new, area: area, table: oldTable.name,
        place: (
          offset: piece.start, last: piece.last, old: old.base &+ piece.start,
          new: new.base &+ piece.start
        ), oldTable, newTable)
    }
  }

  /// Looks segments up at rising distances.
  private struct Cursor {
    private let segments: [Segment]
    var index = 0

    init(_ segments: [Segment]) { self.segments = segments.sorted { $0.start < $1.start } }

    mutating func state(at offset: UInt64) -> State? {
      while index < segments.count, segments[index].last < offset { index += 1 }
      guard index < segments.count, segments[index].start <= offset else { return State() }
      return segments[index].state
    }
  }

  func change(
    was: State, now: State, area: String, table: String,
    place: (offset: UInt64, last: UInt64, old: UInt64, new: UInt64), _ old: Table, _ new: Table
  ) -> Difference.Change {
    let size = place.last &- place.offset &+ 1
    func side(_ state: State, _ start: UInt64, _ table: Table) -> Difference.Side? {
      state.kind == .unmapped
        ? nil
        : self.side(
          state, table.space.mode, range: start...max(start, start &+ (size &- 1)),
          physical: hasFrames
            ? table.space.run(at: start).flatMap { run in
              run.physical(of: start, span: table.space.mode.span(of: run))
            } : nil)
    }
    return Difference.Change(
      kind: was.kind == .unmapped ? .added : now.kind == .unmapped ? .removed : .changed,
      aspects: aspects(was, now), table: table, area: area, offset: place.offset, size: size,
      old: side(was, place.old, old), new: side(now, place.new, new))
  }

  func aspects(_ was: State, _ now: State) -> [Difference.Aspect] {
    guard was.kind == .leaf, now.kind == .leaf else { return [] }
    return [
      was.flags != now.flags || was.access != now.access ? .attributes : nil,
      was.level != now.level ? .pageSize : nil, was.frame != now.frame ? .frame : nil,
    ].compactMap { $0 }
  }

  func side(
    _ state: State, _ mode: TableFormat, range: ClosedRange<UInt64>?, physical: UInt64? = nil
  ) -> Difference.Side {
    let valid = mode.level(1).valid.mask
    return Difference.Side(
      range: range,
      level: state.kind == .leaf && state.level > 0 ? mode.level(Int(state.level)).span.size : "",
      flags: state.kind == .notPresent
        ? ["not present"] : mode.names(state.flags & ~valid, level: 1),
      effective: state.kind == .leaf
        ? state.access.map { access in
          (access.isUser ? "u" : "-") + (access.isWritable ? "w" : "-")
            + (access.isExecutable ? "x" : "-")
        } : nil, physical: physical)
  }
}
