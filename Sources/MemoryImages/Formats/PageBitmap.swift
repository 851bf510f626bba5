/// Bitmaps of pages, as kdump-compressed files have them.
extension MappedFile {
  /// Bit `index` of the bitmap at `offset`, the lowest bit first.
  func bit(_ index: UInt64, of offset: UInt64) -> Bool {
    bytes(at: offset + index / 8, count: 1).map { $0[0] >> (index % 8) & 1 == 1 } ?? false
  }

  /// How many bits of the bitmap at `offset` are set.
  func countBits(of offset: UInt64, in range: Range<UInt64>) -> UInt64 {
    var count: UInt64 = 0
    forEachRun(of: offset, in: range) { run in
      count += run.upperBound - run.lowerBound
      return true
    }
    return count
  }

  /// Visits the runs of set bits of the bitmap at `offset`, until `body` answers false.
  func forEachRun(
    of offset: UInt64, in range: Range<UInt64>, _ body: (Range<UInt64>) -> Bool
  ) {
    withBytes { bytes in
      guard range.upperBound > range.lowerBound,
        offset + (range.upperBound - 1) / 8 < UInt64(bytes.count)
      else { return }
      var start: UInt64?
      var index = range.lowerBound
      while index < range.upperBound {
        let byte = bytes[Int(offset + index / 8)]
        if index % 8 == 0, range.upperBound - index >= 8, byte == (start == nil ? 0 : 0xff) {
          index += 8
          continue
        }
        let isSet = byte >> (index % 8) & 1 == 1
        if isSet, start == nil { start = index }
        if !isSet, let first = start {
          start = nil
          if !body(first..<index) { return }
        }
        index += 1
      }
      if let start { _ = body(start..<range.upperBound) }
    }
  }
}
