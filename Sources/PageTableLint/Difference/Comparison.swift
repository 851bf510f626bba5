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
    /// The leaf's own flags that both inputs tell, where a leaf of the lowest level has them.
    var flags: UInt64 = 0
    /// Nil where an input does not tell it.
    var access: Access?
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
  /// Whether the kernels are known to be of different builds: their images share no distances.
  let areOtherBuilds: Bool
  var changes: [Difference.Change] = []
  var notCompared: [Difference.NotCompared] = []
  /// The flags that are compared.
  let mask: UInt64
  let hasFrames: Bool

  init(_ old: Subject, _ new: Subject) {
    self.old = old
    self.new = new
    areOtherBuilds = Self.areOtherBuilds(old, new)
    isOneBoot = !areOtherBuilds && Self.areOneBoot(old, new)
    hasFrames = old.kernel.space.hasPhysical && new.kernel.space.hasPhysical
    let used = old.mode.architecture.usageBits
    let printed = old.mode.attributes.filter(\.printed).reduce(0) { $0 | $1.mask }
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
  private static func areOneBoot(_ old: Subject, _ new: Subject) -> Bool {
    func bases(_ subject: Subject) -> [UInt64?] {
      [.directMap, .vmalloc, .vmemmap].map { subject.kernel.layout.first($0)?.start }
        + [subject.imageStart]
    }
    let unmoved = old.architecture.unmovedDirectMaps(old.mode)
    guard !unmoved.isEmpty, let start = bases(old)[0] else { return false }
    return bases(old) == bases(new) && !bases(old).contains(nil) && !unmoved.contains(start)
  }

  private static func areOtherBuilds(_ old: Subject, _ new: Subject) -> Bool {
    func differ<Value: Equatable>(_ one: Value?, _ other: Value?) -> Bool? {
      one.flatMap { one in other.map { one != $0 } }
    }
    return differ(old.facts.buildID?.value, new.facts.buildID?.value)
      ?? differ(old.facts.release?.value, new.facts.release?.value) ?? false
  }

  private mutating func compare(_ old: Table, _ new: Table) {
    for kind in Area.Kind.known {
      switch (kind.role, kind.placement) {
      case (.directMap, _): compareDirectMap(old, new)
      case (.image, _):
        // Where it lies in the direct map it is compared with that.
        guard !old.space.mode.architecture.imageIsInDirectMap else { continue }
        guard !areOtherBuilds else {
          compareSymbols(old, new)
          continue
        }
        compare(
          part(old, self.old, .image, base: self.old.imageStart, frames: self.old.imageFrame),
          part(new, self.new, .image, base: self.new.imageStart, frames: self.new.imageFrame),
          old, new, kind)
      case (_, .fixed), (_, .moved):
        compare(part(old, self.old, kind), part(new, self.new, kind), old, new, kind)
      case (_, .handedOut), (_, .random):
        if kind.isElidedInText, self.old.text != nil || self.new.text != nil {
          if !content(kind, old).isEmpty || !content(kind, new).isEmpty {
            notCompared.append(
              Difference.NotCompared(
                what: kind.name, reason: "a text dump leaves most lines of it out"))
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
  func isLive(_ was: State, _ now: State) -> Bool { pageSizesAreRandom && was.isAlike(now) }

  private var pageSizesAreRandom: Bool {
    !isOneBoot && !(old.selfTests.isEmpty && new.selfTests.isEmpty)
  }
}
