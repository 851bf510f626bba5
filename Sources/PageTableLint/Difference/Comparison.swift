internal import KernelImages
internal import MemoryImages
internal import PageTables

/// Two inputs' tables, part by part.
struct Comparison {
  /// What is at an address, as far as two boots can share it.
  struct State: Hashable {
    enum Kind { case unmapped, notPresent, leaf }
    var kind = Kind.unmapped
    var level: UInt8 = 0
    /// The leaf's own flags that both inputs tell, PAT where a 4K leaf has it.
    var flags: UInt64 = 0
    /// Nil where an input does not tell it.
    var effective: UInt64?
    /// The frame, less what the area's place and the image's in memory make of it; nil where frames
    /// are handed out anew.
    var frame: UInt64?

    /// The same but for the page size.
    func isAlike(_ other: State) -> Bool {
      var same = other
      same.level = level
      return self == same
    }
  }

  /// A piece of a part: `start` is a distance from the part's base.
  struct Segment {
    let start: UInt64
    /// Inclusive.
    let last: UInt64
    /// Nil where it is not known, or compared elsewhere.
    let state: State?
  }

  /// One area of one input.
  struct Part {
    let base: UInt64
    let segments: [Segment]
  }

  let old: Subject
  let new: Subject
  let isOneBoot: Bool
  private(set) var changes: [Difference.Change] = []
  private(set) var notCompared: [Difference.NotCompared] = []
  /// The flags that are compared.
  private let mask: UInt64
  private let hasFrames: Bool

  init(_ old: Subject, _ new: Subject) {
    self.old = old
    self.new = new
    isOneBoot = Self.areOneBoot(old, new)
    hasFrames = old.kernel.space.hasPhysical && new.kernel.space.hasPhysical
    let used = old.mode.flags.filter { ["A", "D"].contains($0.set) }.reduce(0) { $0 | $1.mask }
    let printed = old.mode.flags.filter(\.printed).reduce(0) { $0 | $1.mask }
    mask =
      old.kernel.space.knownFlags & new.kernel.space.knownFlags & ~used
      & (hasFrames ? ~0 : printed)
    for table in old.tables {
      guard let other = new.tables.first(where: { $0.stableName == table.stableName }) else {
        notCompared.append(
          Difference.NotCompared(what: "\(table.name) table", reason: "only the old input has it"))
        continue
      }
      compare(table, other)
    }
    for table in new.tables
    where !old.tables.contains(where: { $0.stableName == table.stableName }) {
      notCompared.append(
        Difference.NotCompared(what: "\(table.name) table", reason: "only the new input has it"))
    }
    if pageSizesAreRandom {
      notCompared.append(
        Difference.NotCompared(
          what: "page sizes of the direct map and of the kernel image",
          reason: "a CPA self-test ran, which splits pages at random"))
    }
    if !hasFrames {
      notCompared.append(
        Difference.NotCompared(
          what: "physical addresses and upper levels", reason: "a text dump does not tell them"))
    }
  }

  /// Whether KASLR moved all areas alike, which no two boots have in common; unknown is false.
  ///
  /// Source: arch/x86/mm/kaslr.c, 6.12: each of the three areas gets its share of the entropy.
  private static func areOneBoot(_ old: Subject, _ new: Subject) -> Bool {
    func bases(_ subject: Subject) -> [UInt64?] {
      [.directMap, .vmalloc, .vmemmap].map { subject.kernel.layout.first($0)?.start }
        + [subject.imageStart]
    }
    let fixed = old.mode.upperHalf &+ 17 * old.mode.root.span
    return old.mode.addressBits > 32 && bases(old) == bases(new) && !bases(old).contains(nil)
      && bases(old)[0] != fixed && bases(old)[0] != old.mode.upperHalf &+ 16 * old.mode.root.span
  }

  private mutating func compare(_ old: Table, _ new: Table) {
    for kind in Area.Kind.allCases {
      switch kind {
      case .directMap: compareDirectMap(old, new)
      case .image:
        // Where it lies in the direct map it is compared with that.
        guard !old.space.mode.architecture.imageIsInDirectMap else { continue }
        compare(
          part(old, self.old, .image, base: self.old.imageStart, frames: self.old.imageFrame),
          part(new, self.new, .image, base: self.new.imageStart, frames: self.new.imageFrame),
          old, new, kind)
      case .vmemmap, .guardHole, .ldtRemap, .efi, .fixmap:
        compare(part(old, self.old, kind), part(new, self.new, kind), old, new, kind)
      case .vmalloc, .modules, .cpuEntryArea, .espfix, .persistentKmap, .user, .other:
        if kind == .espfix, self.old.text != nil || self.new.text != nil {
          // Source: `note_page`, arch/x86/mm/dump_pagetables.c, 6.12: so many entries skipped.
          if !content(kind, old).isEmpty || !content(kind, new).isEmpty {
            notCompared.append(
              Difference.NotCompared(
                what: kind.rawValue, reason: "a text dump leaves most lines of it out"))
          }
        } else if isOneBoot {
          compare(
            part(old, self.old, kind, frames: 0), part(new, self.new, kind, frames: 0), old, new,
            kind)
        } else {
          compareContent(kind, old, new)
        }
      }
    }
  }

  /// Whether a difference says nothing: a self-test split pages at random, in another boot.
  ///
  /// It does so in the direct map, and CPA in the image, too, where that maps the same frames.
  /// Source: arch/x86/mm/pat/cpa-test.c, and `cpa_process_alias`, arch/x86/mm/pat/set_memory.c, 6.12.
  private func isLive(_ was: State, _ now: State) -> Bool { pageSizesAreRandom && was.isAlike(now) }

  private var pageSizesAreRandom: Bool {
    !isOneBoot && !(old.selfTests.isEmpty && new.selfTests.isEmpty)
  }

  // MARK: - By place

  private func state(_ run: Run, _ mode: TableFormat, frame: UInt64?) -> State? {
    switch run.kind {
    case .unreadable: return nil
    case .hole: return State()
    case .notPresent:
      // A text dump prints them as it prints holes, or not at all.
      return hasFrames ? State(kind: .notPresent) : State()
    case .leaf:
      var flags = run.flags
      if run.level > 1 {
        let pat: UInt64 = 1 << 12
        flags = flags & ~(mode.large | pat) | (flags & pat == 0 ? 0 : mode.large)
      }
      return State(
        kind: .leaf, level: run.level, flags: flags & mask,
        effective: hasFrames ? run.effective & mode.inherited : nil, frame: frame)
    }
  }

  /// - Parameters:
  ///   - base: the area's start where it is nil.
  ///   - frames: the frame that belongs to the base; nil where frames are handed out anew.
  private func part(
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
  private mutating func compare(
    _ old: Part, _ new: Part, _ oldTable: Table, _ newTable: Table, _ kind: Area.Kind,
    named area: String? = nil
  ) {
    let area = area ?? kind.rawValue
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
    private var index = 0

    init(_ segments: [Segment]) { self.segments = segments.sorted { $0.start < $1.start } }

    mutating func state(at offset: UInt64) -> State? {
      while index < segments.count, segments[index].last < offset { index += 1 }
      guard index < segments.count, segments[index].start <= offset else { return State() }
      return segments[index].state
    }
  }

  private func change(
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

  private func aspects(_ was: State, _ now: State) -> [Difference.Aspect] {
    guard was.kind == .leaf, now.kind == .leaf else { return [] }
    return [
      was.flags != now.flags || was.effective != now.effective ? .attributes : nil,
      was.level != now.level ? .pageSize : nil, was.frame != now.frame ? .frame : nil,
    ].compactMap { $0 }
  }

  private func side(
    _ state: State, _ mode: TableFormat, range: ClosedRange<UInt64>?, physical: UInt64? = nil
  ) -> Difference.Side {
    let present = mode.present
    return Difference.Side(
      range: range,
      level: state.kind == .leaf && state.level > 0 ? mode.level(Int(state.level)).span.size : "",
      flags: state.kind == .notPresent
        ? ["not present"] : mode.names(state.flags & ~present, level: 1),
      effective: state.kind == .leaf
        ? state.effective.map { effective in
          (effective & mode.user != 0 ? "u" : "-") + (effective & mode.write != 0 ? "w" : "-")
            + (effective & mode.noExecute == 0 ? "x" : "-")
        } : nil, physical: physical)
  }

  // MARK: - The direct map

  /// By distance from its start, that is by frame; the frames of the kernel image, which lies
  /// elsewhere in memory in each boot, by their distance from the image's first.
  ///
  /// Where the image lies in one boot alone, the other must have what its direct map mostly has
  /// elsewhere: nothing, in the user's half of a 32-bit kernel under page-table isolation.
  private mutating func compareDirectMap(_ old: Table, _ new: Table) {
    let parts = (
      part(old, self.old, .directMap, frames: 0), part(new, self.new, .directMap, frames: 0)
    )
    guard let images = imageFrames, images.old != images.new else {
      compare(parts.0, parts.1, old, new, .directMap)
      return
    }
    func cut(_ part: Part, _ frames: ClosedRange<UInt64>) -> (rest: Part, image: Part) {
      let usual = self.usual(part, outside: frames)
      var rest: [Segment] = []
      var image: [Segment] = []
      for segment in part.segments {
        let inside = max(segment.start, frames.lowerBound)
        let last = min(segment.last, frames.upperBound)
        guard inside <= last else {
          rest.append(segment)
          continue
        }
        if segment.start < inside {
          rest.append(Segment(start: segment.start, last: inside - 1, state: segment.state))
        }
        if last < segment.last {
          rest.append(Segment(start: last + 1, last: segment.last, state: segment.state))
        }
        var state = usual
        if state.kind == .leaf { state.level = segment.state?.level ?? 1 }
        rest.append(Segment(start: inside, last: last, state: state))
        image.append(
          Segment(
            start: inside - frames.lowerBound, last: last - frames.lowerBound,
            state: segment.state))
      }
      return (
        Part(base: part.base, segments: rest),
        Part(base: part.base &+ frames.lowerBound, segments: image)
      )
    }
    let was = cut(parts.0, images.old)
    let now = cut(parts.1, images.new)
    compare(was.rest, now.rest, old, new, .directMap)
    compare(
      was.image, now.image, old, new, .directMap, named: "direct map of the kernel image")
  }

  /// What most of a part is, but for a range of it.
  private func usual(_ part: Part, outside range: ClosedRange<UInt64>) -> State {
    var bytes: [State: UInt64] = [:]
    for segment in part.segments {
      guard var state = segment.state, state.kind == .leaf else { continue }
      state.level = 1
      if segment.start < range.lowerBound {
        bytes[state, default: 0] &+= min(segment.last, range.lowerBound - 1) &- segment.start &+ 1
      }
      if segment.last > range.upperBound {
        bytes[state, default: 0] &+= segment.last &- max(segment.start, range.upperBound + 1) &+ 1
      }
    }
    return bytes.max { $0.value < $1.value }?.key ?? State()
  }

  /// Where the kernel image lies in memory, in each input; of one length.
  private var imageFrames: (old: ClosedRange<UInt64>, new: ClosedRange<UInt64>)? {
    guard let was = old.imageFrame, let now = new.imageFrame,
      let size = [old.imageSize, new.imageSize].compactMap({ $0 }).max(), size > 0,
      was <= ~0 - size, now <= ~0 - size
    else { return nil }
    return (was...(was + size - 1), now...(now + size - 1))
  }

  // MARK: - By content

  /// The bytes of each kind of leaf in an area, whatever the page size.
  private func content(_ kind: Area.Kind, _ table: Table) -> [State: UInt64] {
    var bytes: [State: UInt64] = [:]
    for run in table.layout.runs(kind, in: table.space) where run.isLeaf {
      guard var state = state(run, table.space.mode, frame: nil) else { continue }
      state.level = 0
      bytes[state, default: 0] &+= run.size
    }
    return bytes
  }

  /// Which attributes occur in an area, where its places say nothing.
  private mutating func compareContent(_ kind: Area.Kind, _ old: Table, _ new: Table) {
    let was = content(kind, old)
    let now = content(kind, new)
    guard !was.isEmpty || !now.isEmpty else { return }
    let what = old.id == .kernel ? kind.rawValue : "\(kind.rawValue) of the \(old.name) table"
    notCompared.append(
      Difference.NotCompared(
        what: "\(what): places, sizes and numbers",
        reason: kind == .cpuEntryArea || kind == .espfix
          ? "at random in each boot" : "handed out anew in each boot"))
    func changes(_ states: [State: UInt64], _ others: [State: UInt64], _ kind: Difference.Kind)
      -> [Difference.Change]
    {
      states.filter { others[$0.key] == nil }.map { state, size in
        let side = self.side(state, old.space.mode, range: nil)
        return Difference.Change(
          kind: kind, aspects: [], table: old.name, area: what, offset: nil, size: size,
          old: kind == .removed ? side : nil, new: kind == .added ? side : nil)
      }.sorted { ($0.size, "\($0)") < ($1.size, "\($1)") }
    }
    self.changes += changes(was, now, .removed) + changes(now, was, .added)
  }
}

extension Subject {
  /// The physical address of the kernel image's first page.
  ///
  /// A text dump does not tell it, but the direct map has the image's text and rodata read-only, too:
  /// it is where a read-only stretch of just that length lies, if there is one such.
  /// Source: `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  fileprivate var imageFrame: UInt64? {
    if let image { return image.imageFrames?.lowerBound }
    guard let start = imageStart else { return nil }
    func stretches(_ kind: Area.Kind) -> RangeSet {
      RangeSet(
        kernel.layout.runs(kind, in: kernel.space)
          .filter { $0.isLeaf && $0.flags & mode.write == 0 }.map { $0.start...$0.last })
    }
    guard let own = stretches(.image).first(where: { $0.lowerBound == start }),
      let base = kernel.layout.first(.directMap)?.start
    else { return nil }
    func size(_ range: ClosedRange<UInt64>) -> UInt64 { range.upperBound &- range.lowerBound }
    let alike = stretches(.directMap).filter { size($0) == size(own) }
    return alike.count == 1 ? alike[0].lowerBound &- base : nil
  }

  /// The bytes from the image's first page to its last.
  fileprivate var imageSize: UInt64? {
    if let frames = image?.imageFrames {
      return frames.upperBound &- frames.lowerBound &+ 1
    }
    guard let start = imageStart,
      let last = kernel.layout.runs(.image, in: kernel.space).last(where: \.isLeaf)?.last
    else { return nil }
    return last &- start &+ 1
  }
}
