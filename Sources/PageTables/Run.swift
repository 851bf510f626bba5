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
  }

  package var start: UInt64
  /// The last byte, since the end of the topmost run does not fit 64 bits.
  package var last: UInt64
  package var kind: Kind
  /// The level (by number, 1 is 4K) of the entries.
  package var level: UInt8
  /// Whether every page of the run maps the frame of the first (KASAN's shadow, ESPfix).
  package var repeats: Bool
  /// The entries' own bits outside the address; of entries that are not present
  /// `PagingMode.invertedFrame` too.
  package var flags: UInt64
  /// RW, US and NX as they act after all upper levels.
  package var effective: UInt64
  /// The first byte's physical address; nil in text dumps, holes and unreadable ranges.
  package var physical: UInt64?

  /// What `effective` holds where the kernel's dumper did not look at it, but reuses what the last
  /// page had (`note_kasan_page_table`, mm/ptdump.c, 6.12).
  static let staleEffective: UInt64 = ~0

  package init(
    start: UInt64, last: UInt64, kind: Kind, level: Int, flags: UInt64 = 0, effective: UInt64 = 0,
    physical: UInt64? = nil, repeats: Bool = false
  ) {
    self.start = start
    self.last = last
    self.kind = kind
    self.level = UInt8(truncatingIfNeeded: level)
    self.flags = flags
    self.effective = effective
    self.physical = physical
    self.repeats = repeats
  }

  /// Size in bytes; zero stands for all 2^64.
  package var size: UInt64 { last &- start &+ 1 }
  package var pages: UInt64 { size >> 12 }
  /// Exclusive; zero at the top of the address space, as the kernel prints it.
  package var end: UInt64 { last &+ 1 }
  package var isLeaf: Bool { kind == .leaf }

  package func contains(_ address: UInt64) -> Bool { start <= address && address <= last }

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
    return part
  }

  /// Appends `next` to `runs`, merged with the run before it where both say the same.
  package static func append(_ next: Run, to runs: inout [Run], mode: PagingMode) {
    if let index = runs.indices.last,
      runs[index].absorbs(next, span: mode.span(of: next))
    {
      if next.kind == .leaf { runs[index].repeats = runs[index].repeatsWith(next, mode: mode) }
      runs[index].last = next.last
    } else {
      runs.append(next)
    }
  }

  private func absorbs(_ next: Run, span: UInt64) -> Bool {
    guard last &+ 1 == next.start, kind == next.kind, level == next.level, flags == next.flags,
      effective == next.effective
    else { return false }
    guard kind == .leaf, let mine = physical, let other = next.physical else { return true }
    if size <= span, next.size <= span { return other == mine || other == mine &+ size }
    // A run of one leaf has no stride yet; a longer one has, and the next must go on with it.
    let oneLeaf = size <= span
    let nextIsOne = next.size <= span
    if repeats || (oneLeaf && next.repeats) { return other == mine && (next.repeats || nextIsOne) }
    if !nextIsOne && next.repeats { return false }
    return other == mine &+ size
  }

  private func repeatsWith(_ next: Run, mode: PagingMode) -> Bool {
    repeats || next.repeats || (physical != nil && physical == next.physical)
  }
}
