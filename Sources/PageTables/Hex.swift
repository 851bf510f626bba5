extension String {
  /// The decimal number right behind the first `mark`; nil where there is none.
  package func number(after mark: String) -> UInt64? {
    place(of: mark).flatMap { UInt64(self[$0.upperBound...].prefix(while: \.isNumber)) }
  }
}

extension ClosedRange<UInt64> {
  /// Reads `START-END` in hexadecimal; END is exclusive, and zero is the top of the address space.
  package init?(hexText text: String) {
    let ends = text.split(separator: "-").map { UInt64(hexText: $0) }
    guard ends.count == 2, let start = ends[0], let end = ends[1], end == 0 || start < end else {
      return nil
    }
    self = start...(end &- 1)
  }
}

extension UInt64 {
  /// The number in lower-case hexadecimal, zero-padded to `digits`, without a prefix.
  package func hex(digits: Int = 0) -> String {
    let text = String(self, radix: 16)
    return String(repeating: "0", count: Swift.max(0, digits - text.count)) + text
  }

  /// An address as the kernel prints it: `0x` and 16 digits.
  package var address: String { "0x" + hex(digits: 16) }

  /// An entry or a mask: `0x` and as many digits as it has.
  package var entry: String { "0x" + hex() }

  /// A size in bytes as the kernel's dumps print it: whole, with the largest unit that divides it.
  ///
  /// Source: `note_page`, arch/x86/mm/dump_pagetables.c, 6.12.
  package var size: String {
    var value = self
    var units = ["B", "K", "M", "G", "T", "P", "E"][...]
    while value & 1023 == 0, units.count > 1, value != 0 {
      value >>= 10
      units.removeFirst()
    }
    return "\(value)\(units.first ?? "")"
  }

  /// A size in bytes for people: `4 KiB`, `1 GiB`, `1.4 GiB`.
  package var readableSize: String {
    var value = Double(self)
    var units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
    while value >= 1024, units.count > 1 {
      value /= 1024
      units.removeFirst()
    }
    let tenths = (value * 10).rounded(.down)
    let whole = Int(tenths / 10)
    let fraction = Int(tenths) % 10
    return (fraction == 0 ? "\(whole)" : "\(whole).\(fraction)") + " " + (units.first ?? "")
  }

  /// Reads hexadecimal text, with or without `0x`; nil for anything else.
  package init?(hexText: some StringProtocol) {
    let number =
      hexText.utf8.withContiguousStorageIfAvailable { unsafe UInt64(hexBytes: $0) }
      ?? UInt64(hexBytes: Array(hexText.utf8))
    guard let number else { return nil }
    self = number
  }

  /// Reads the bytes of such text.
  @inlinable package init?(hexBytes bytes: some Collection<UInt8>) {
    let hasPrefix = bytes.starts(with: "0x".utf8) || bytes.starts(with: "0X".utf8)
    let digits = bytes.dropFirst(hasPrefix ? 2 : 0)
    guard !digits.isEmpty else { return nil }
    self = 0
    for byte in digits {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: return nil
      }
      guard self >> 60 == 0 else { return nil }
      self = self << 4 | UInt64(digit)
    }
  }
}
