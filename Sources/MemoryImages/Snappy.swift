/// Snappy's compressed blocks.
///
/// Source: format_description.txt and framing_format.txt of snappy 1.1.9.
package enum Snappy {
  /// The size that a block unpacks to, and how many bytes tell it; nil where none is told.
  static func size(_ bytes: Span<UInt8>) -> (size: Int, length: Int)? {
    var size = 0
    for index in 0..<min(5, bytes.count) {
      size |= Int(bytes[index] & 0x7f) << (7 * index)
      if bytes[index] < 0x80 { return (size, index + 1) }
    }
    return nil
  }

  /// Unpacks a block of at most 64 KiB; nil where it is damaged.
  static func unpack(_ bytes: Span<UInt8>) -> [UInt8]? {
    guard let (size, start) = size(bytes), size <= 65536 else { return nil }
    var made: [UInt8] = []
    made.reserveCapacity(size)
    var at = start
    /// A little-endian number of `count` bytes.
    func number(_ count: Int) -> Int? {
      guard count <= bytes.count - at else { return nil }
      var value = 0
      for index in 0..<count { value |= Int(bytes[at + index]) << (8 * index) }
      return value
    }
    while at < bytes.count {
      let tag = Int(bytes[at])
      at += 1
      if tag & 3 == 0 {
        var length = tag >> 2
        if length >= 60 {
          let extra = length - 59
          guard let more = number(extra) else { return nil }
          length = more
          at += extra
        }
        guard length < bytes.count - at, length < size - made.count else { return nil }
        for index in at...(at + length) { made.append(bytes[index]) }
        at += length + 1
      } else {
        let extra = [1, 2, 4][tag & 3 - 1]
        guard let low = number(extra) else { return nil }
        at += extra
        let length = tag & 3 == 1 ? 4 + tag >> 2 & 7 : 1 + tag >> 2
        let offset = tag & 3 == 1 ? low | (tag >> 5) << 8 : low
        guard offset > 0, offset <= made.count, length <= size - made.count else { return nil }
        for _ in 0..<length { made.append(made[made.count - offset]) }
      }
    }
    return made.count == size ? made : nil
  }

  /// CRC-32C, masked as frames hold it.
  package static func checksum(_ bytes: Span<UInt8>) -> UInt32 {
    var sum = ~UInt32(0)
    for index in bytes.indices {
      sum = sum >> 8 ^ table[Int((sum ^ UInt32(bytes[index])) & 0xff)]
    }
    sum = ~sum
    return (sum >> 15 | sum << 17) &+ 0xa282_ead8
  }

  private static let table: [UInt32] = (0..<256).map { start in
    (0..<8).reduce(UInt32(start)) { value, _ in
      value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1
    }
  }
}
