internal import PageTables

/// A search through the kernel image, chunk by chunk: what is not mapped or not there is skipped.
struct KallsymsScan {
  /// The tokens of the digits.
  private static let digits: [UInt8] = (UInt8(ascii: "0")...UInt8(ascii: "9")).flatMap { [$0, 0] }

  private let reader: VirtualReader
  private let end: UInt64
  private var at: UInt64
  private var chunk: [UInt8] = []
  /// The address of the chunk, and how much of it was searched.
  private var start: UInt64 = 0
  private var searched = 0

  init(_ reader: VirtualReader, from start: UInt64, count: UInt64) {
    self.reader = reader
    at = start
    end = start.addingReportingOverflow(count).overflow ? .max : start + count
  }

  /// The address of the next place that holds the digits' tokens.
  mutating func next() -> UInt64? {
    repeat {
      if let place = Self.digits(in: chunk.span, from: searched) {
        searched = place + 1
        return start &+ UInt64(place)
      }
    } while read(keeping: Self.digits.count - 1)
    return nil
  }

  /// The first place from `start` on that holds the digits' tokens; nil where none does.
  ///
  /// Of two neighbours one is a digit, which tells where the first lies: each 19th place is enough.
  private static func digits(in bytes: Span<UInt8>, from start: Int) -> Int? {
    let (digits, zero) = (digits, UInt8(ascii: "0"))
    var place = start
    while place < bytes.count - 1 {
      defer { place += digits.count - 1 }
      let (one, other) = (bytes[place], bytes[place + 1])
      let digit = one | other
      guard one == 0 || other == 0, zero <= digit, digit <= zero + 9 else { continue }
      let first = place + (one == 0 ? 1 : 0) - 2 * Int(digit - zero)
      if first >= start, first + digits.count <= bytes.count,
        digits.indices.allSatisfy({ bytes[first + $0] == digits[$0] })
      {
        return first
      }
    }
    return nil
  }

  /// Reads the next chunk, after what is left of the last one where it follows it.
  private mutating func read(keeping count: Int) -> Bool {
    while at < end {
      let mode = reader.mode
      let walk = mode.walk(at, root: reader.root, memory: reader.memory)
      guard case .leaf(_, let size) = walk.end else {
        // Nothing is there as far as the entry that ends the walk reaches.
        skip(walk.steps.last.map { mode.level($0.level).span } ?? mode.granule)
        continue
      }
      // Little enough to stay in the processor's cache.
      let part = Int(min(size - (at & (size - 1)), 128 << 10, end - at))
      if let bytes = reader.bytes(at: at, count: part) {
        take(bytes, keeping: count)
        return true
      }
      // An extract holds some pages of a large leaf.
      guard let bytes = reader.bytes(at: at, count: Int(mode.granule - (at & (mode.granule - 1))))
      else {
        skip(mode.granule)
        continue
      }
      take(bytes, keeping: count)
      return true
    }
    return false
  }

  private mutating func skip(_ count: UInt64) {
    at =
      (at & ~(count - 1)).addingReportingOverflow(count).overflow
      ? end : (at & ~(count - 1)) + count
  }

  private mutating func take(_ bytes: [UInt8], keeping count: Int) {
    if start &+ UInt64(chunk.count) == at {
      let kept = min(count, chunk.count)
      chunk = Array(chunk.suffix(kept)) + bytes
      start = at &- UInt64(kept)
    } else {
      chunk = bytes
      start = at
    }
    searched = 0
    at = at.addingReportingOverflow(UInt64(bytes.count)).overflow ? end : at + UInt64(bytes.count)
  }
}
