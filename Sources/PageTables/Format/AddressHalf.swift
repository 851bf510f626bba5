/// One stretch of virtual addresses that tables can map, from end to end.
package struct AddressHalf: Sendable, Equatable {
  package let first: UInt64
  package let last: UInt64

  package init(first: UInt64, last: UInt64) {
    self.first = first
    self.last = last
  }
}

extension [AddressHalf] {
  /// One stretch of `bits` address bits from zero.
  package static func whole(bits: Int) -> [AddressHalf] {
    [AddressHalf(first: 0, last: ~0 >> UInt64(64 - bits))]
  }

  /// The two ends of a space of 64 bits.
  ///
  /// - Parameter bits: the significant address bits of each.
  package static func ends(bits: Int) -> [AddressHalf] {
    let last: UInt64 = ~0 >> UInt64(64 - bits)
    return [AddressHalf(first: 0, last: last), AddressHalf(first: ~last, last: ~0)]
  }
}
