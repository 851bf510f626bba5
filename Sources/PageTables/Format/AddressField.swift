/// The bits of an entry that hold a physical address.
///
/// Most formats have them in one piece, where they stand in the address. RISC-V has them two bits
/// lower; LPA2 of arm64 keeps bits 50 and 51 in bits 8 and 9.
package struct AddressField: Sendable, Equatable {
  /// One piece: the entry's bits, and how far they stand below their place in the address.
  package struct Part: Sendable, Equatable {
    package let mask: UInt64
    package let shift: UInt8

    package init(mask: UInt64, shift: UInt8 = 0) {
      self.mask = mask
      self.shift = shift
    }
  }

  /// The part with the lowest address bits; two are enough for every format, and need no array.
  package let low: Part
  package let high: Part
  /// All bits of the entry that belong to the address.
  package let mask: UInt64
  /// Whether the address stands in the entry as it is.
  @usableFromInline let isPlain: Bool

  package init(_ low: Part, _ high: Part = Part(mask: 0)) {
    self.low = low
    self.high = high
    mask = low.mask | high.mask
    isPlain = low.shift == 0 && high.mask == 0
  }

  /// An address that stands in the entry as it is.
  package init(_ mask: UInt64) { self.init(Part(mask: mask)) }

  /// The address in `entry`.
  @inlinable package func address(in entry: UInt64) -> UInt64 {
    isPlain ? entry & mask : joined(entry)
  }

  @usableFromInline func joined(_ entry: UInt64) -> UInt64 {
    (entry & low.mask) << UInt64(low.shift) | (entry & high.mask) << UInt64(high.shift)
  }

  /// The bits by which an entry says `address`.
  package func entry(for address: UInt64) -> UInt64 {
    address >> UInt64(low.shift) & low.mask | address >> UInt64(high.shift) & high.mask
  }

  /// What an entry gains where its address grows by `distance`, as long as that stays in the lowest
  /// part.
  package func step(_ distance: UInt64) -> UInt64 { distance >> UInt64(low.shift) }

  /// Without the address bits of `bits`, which must be of a plain field.
  func without(_ bits: UInt64) -> AddressField {
    AddressField(Part(mask: low.mask & ~bits, shift: low.shift), high)
  }
}
