/// The entries of one table, where they lie.
@unsafe struct TableEntries {
  let base: UnsafePointer<UInt64>
  let count: Int

  subscript(index: Int) -> UInt64 { unsafe base[index] }

  /// The end of the entries from `first` on, each of which is by `step` more than the one before,
  /// whatever the bits say that are ignored.
  ///
  /// Eight at a time: most tables are of one piece, and this is where a walk spends its time.
  @inline(__always) func end(
    from first: Int, before bound: Int, step: UInt64, ignoring ignored: UInt64 = 0
  ) -> Int {
    // Sums: a processor may have no product of 64-bit lanes.
    let (pair, four) = (step &+ step, step &* 4)
    let lanes = SIMD8(
      0, step, pair, pair &+ step, four, four &+ step, four &+ pair, four &+ pair &+ step)
    let eight = SIMD8(repeating: step &* 8)
    var next = first + 1
    var expected = lanes &+ SIMD8(repeating: unsafe base[first] &+ step)
    while next + 8 <= bound {
      let found = unsafe UnsafeRawPointer(base + next).loadUnaligned(as: SIMD8<UInt64>.self)
      let difference = found ^ expected
      let halves = difference.lowHalf | difference.highHalf
      let quarters = halves.lowHalf | halves.highHalf
      guard (quarters.x | quarters.y) & ~ignored == 0 else { break }
      next += 8
      expected &+= eight
    }
    var wanted = unsafe base[first] &+ step &* UInt64(next - first)
    while next < bound, unsafe (base[next] ^ wanted) & ~ignored == 0 {
      next += 1
      wanted &+= step
    }
    return next
  }
}
