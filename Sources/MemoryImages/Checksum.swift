/// FNV-1a with 64 bits: each single changed byte changes it.
package struct Checksum: Sendable {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  package mutating func add(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* Self.prime
  }

  /// Adds as many zeros, which multiply the sum and do nothing else.
  package mutating func add(zeros count: Int) {
    var factor: UInt64 = Self.prime
    var left = count
    while left > 0 {
      if left & 1 == 1 { value = value &* factor }
      factor = factor &* factor
      left >>= 1
    }
  }

  private static let prime: UInt64 = 0x0000_0100_0000_01b3

  package mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { add(byte) }
  }

  mutating func add(_ bytes: borrowing Span<UInt8>) {
    for index in bytes.indices { add(bytes[index]) }
  }
}
