/// A set of frames of one size.
///
/// Tables lie close together: 64 frames share a word.
struct FrameSet: Sendable {
  /// The bytes of a frame, as a power of two.
  private let shift: UInt64
  private var words: [UInt64: UInt64] = [:]
  // The word that was used last, not yet written back.
  private var key: UInt64 = .max
  private var word: UInt64 = 0
  private(set) var count = 0

  init(shift: Int) { self.shift = UInt64(shift) }

  /// Adds the frame of a physical address; false where it was there.
  mutating func insert(_ address: UInt64) -> Bool {
    take(address >> (shift + 6))
    let bit: UInt64 = 1 << (address >> shift & 63)
    guard word & bit == 0 else { return false }
    word |= bit
    count += 1
    return true
  }

  /// Takes the frame of a physical address out again.
  mutating func remove(_ address: UInt64) {
    take(address >> (shift + 6))
    let bit: UInt64 = 1 << (address >> shift & 63)
    if word & bit != 0 { count -= 1 }
    word &= ~bit
    if word == 0 { words[key] = nil }
  }

  private mutating func take(_ wanted: UInt64) {
    guard wanted != key else { return }
    if word != 0 { words[key] = word }
    key = wanted
    word = words[wanted] ?? 0
  }

  /// Adds all of `other`.
  ///
  /// - Returns: how many were not there.
  mutating func formUnion(_ other: FrameSet) -> Int {
    let before = count
    for (place, bits) in other.words where place != other.key { add(bits, at: place) }
    add(other.word, at: other.key)
    return count - before
  }

  private mutating func add(_ bits: UInt64, at place: UInt64) {
    take(place)
    count += (bits & ~word).nonzeroBitCount
    word |= bits
  }
}
