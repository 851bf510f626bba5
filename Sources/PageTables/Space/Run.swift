/// Neighbouring addresses with equal attributes.
package struct Run: Sendable, Equatable {
  /// What the addresses are.
  package enum Kind: UInt8, Sendable {
    /// No entry: all bits clear.
    case hole
    /// An entry with bits in it whose present bit is clear.
    case notPresent
    /// Mapped memory.
    case leaf
    /// Below a table that could not be read: nothing is known.
    case unreadable

    // Other modules would look up the one that the compiler makes, each time.
    package static func == (one: Kind, other: Kind) -> Bool { one.rawValue == other.rawValue }
  }

  package var start: UInt64
  /// The last byte, since the end of the topmost run does not fit 64 bits.
  package var last: UInt64
  /// The entries' own bits outside the address; of entries that are not present
  /// `TableFormat.invertedFrame` too.
  package var flags: UInt64
  // Packed, so that a run takes 32 bytes: an image may have millions of them. The frame is bits 12 to
  // 51 of the physical address, whose lower bits are those of `start`.
  @usableFromInline var frameLow: UInt32 = 0
  @usableFromInline var frameHigh: UInt8 = 0
  /// What may be done with the memory, after all upper levels; nothing of a hole.
  package var access: Access
  package var kind: Kind
  /// The level in bits 0 to 2, then `repeats`, whether there is a physical address, and `isStale`.
  @usableFromInline var details: UInt8 = 0
  @inlinable static var repeating: UInt8 { 1 << 3 }
  @inlinable static var physicalKnown: UInt8 { 1 << 4 }
  @inlinable static var stale: UInt8 { 1 << 5 }

  @inlinable package init(
    start: UInt64, last: UInt64, kind: Kind, level: Int, flags: UInt64 = 0, access: Access = [],
    physical: UInt64? = nil, repeats: Bool = false
  ) {
    self.start = start
    self.last = last
    self.kind = kind
    self.flags = flags
    self.access = access
    self.level = UInt8(truncatingIfNeeded: level)
    self.repeats = repeats
    self.physical = physical
  }

  /// The level (by number, 1 is 4K) of the entries.
  @inlinable package var level: UInt8 {
    get { details & 7 }
    set { details = details & ~7 | newValue & 7 }
  }

  /// Whether every page of the run maps the frame of the first (KASAN's shadow, ESPfix).
  @inlinable package var repeats: Bool {
    get { details & Self.repeating != 0 }
    set { details = newValue ? details | Self.repeating : details & ~Self.repeating }
  }

  /// Whether the kernel's dumper does not look at the access, but reuses what the last page had.
  ///
  /// Source: `note_kasan_page_table`, mm/ptdump.c, 6.12.
  @inlinable package var isStale: Bool {
    get { details & Self.stale != 0 }
    set { details = newValue ? details | Self.stale : details & ~Self.stale }
  }

  /// The first byte's physical address; nil in text dumps, holes and unreadable ranges.
  @inlinable package var physical: UInt64? {
    get {
      guard details & Self.physicalKnown != 0 else { return nil }
      return UInt64(frameHigh) << 44 | UInt64(frameLow) << 12 | start & 0xfff
    }
    set {
      let frame = (newValue ?? 0) >> 12
      frameLow = UInt32(truncatingIfNeeded: frame)
      frameHigh = UInt8(truncatingIfNeeded: frame >> 32)
      details = newValue != nil ? details | Self.physicalKnown : details & ~Self.physicalKnown
    }
  }

  /// Size in bytes; zero stands for all 2^64.
  @inlinable package var size: UInt64 { last &- start &+ 1 }
  @inlinable package var pages: UInt64 { size >> 12 }
  /// Exclusive; zero at the top of the address space, as the kernel prints it.
  @inlinable package var end: UInt64 { last &+ 1 }
  @inlinable package var isLeaf: Bool { if case .leaf = kind { true } else { false } }

  @inlinable package func contains(_ address: UInt64) -> Bool {
    start <= address && address <= last
  }

  /// The physical address that `address`, which lies in the run, is mapped to.
  ///
  /// - Parameter span: the size of one leaf of the run's level, in bytes.
  package func physical(of address: UInt64, span: UInt64) -> UInt64? {
    guard let physical else { return nil }
    let offset = address &- start
    return physical &+ (repeats ? offset & (span - 1) : offset)
  }

  /// The part of the run inside `[from, through]`, or nil.
  package func clipped(from: UInt64, through: UInt64, span: UInt64) -> Run? {
    let low = max(start, from)
    let high = min(last, through)
    guard low <= high else { return nil }
    var part = self
    part.start = low
    part.last = high
    part.physical = physical(of: low, span: span)
    // One leaf has no stride.
    if part.size <= span { part.repeats = false }
    return part
  }

  /// Appends `next` to `runs`, merged with the run before it where both say the same.
  ///
  /// - Parameter ignored: flags that leaves need not have in common; those of the first stand.
  package static func append(
    _ next: Run, to runs: inout [Run], mode: borrowing TableFormat, ignoring ignored: UInt64 = 0
  ) {
    let index = runs.count - 1
    guard index >= 0, runs[index].isLike(next, ignoring: ignored),
      runs[index].absorbs(next, span: mode.span(of: next))
    else {
      runs.append(next)
      return
    }
    if next.repeats || next.physical != nil && next.physical == runs[index].physical {
      runs[index].repeats = true
    }
    runs[index].last = next.last
  }

  /// Whether `next` goes on where the run ends, with the same attributes.
  private func isLike(_ next: Run, ignoring ignored: UInt64) -> Bool {
    last &+ 1 == next.start && kind == next.kind && level == next.level
      && (flags ^ next.flags) & ~(kind == .leaf ? ignored : 0) == 0
      && access == next.access && isStale == next.isStale
  }

  private func absorbs(_ next: Run, span: UInt64) -> Bool {
    guard kind == .leaf, let mine = physical, let other = next.physical else { return true }
    if size <= span, next.size <= span { return other == mine || other == mine &+ size }
    // A run of one leaf has no stride yet; a longer one has, and the next must go on with it.
    let oneLeaf = size <= span
    let nextIsOne = next.size <= span
    if repeats || (oneLeaf && next.repeats) { return other == mine && (next.repeats || nextIsOne) }
    if !nextIsOne && next.repeats { return false }
    return other == mine &+ size
  }
}
