/// A question to an entry: whether its bits under a mask have a value.
package struct BitTest: Sendable, Equatable {
  package let mask: UInt64
  package let value: UInt64

  @inlinable package init(mask: UInt64, value: UInt64) {
    self.mask = mask
    self.value = value
  }

  /// Whether all of `bits` are set.
  @inlinable package static func set(_ bits: UInt64) -> BitTest { BitTest(mask: bits, value: bits) }
  /// Whether all of `bits` are clear.
  @inlinable package static func clear(_ bits: UInt64) -> BitTest { BitTest(mask: bits, value: 0) }
  /// True of every entry.
  package static let always = BitTest(mask: 0, value: 0)
  /// True of no entry.
  package static let never = BitTest(mask: 0, value: 1)

  @inlinable package func matches(_ entry: UInt64) -> Bool { entry & mask == value }
}
