extension KernelText {
  struct Cursor: ~Escapable {
    let bytes: Span<UInt8>
    var at: Int
    let end: Int

    @_lifetime(copy bytes)
    init(bytes: Span<UInt8>, at: Int, end: Int) {
      self.bytes = bytes
      self.at = at
      self.end = end
    }

    var current: UInt8? { at < end ? bytes[at] : nil }

    @_lifetime(self: copy self)
    mutating func skipBlanks() {
      while let byte = current, byte == 32 || byte == 9 { at += 1 }
    }

    /// Mail quotes, log levels and printk's stamps.
    @_lifetime(self: copy self)
    mutating func skipPrefixes() {
      while true {
        skipBlanks()
        guard let byte = current else { return }
        if byte == 0x3e {  // >
          at += 1
        } else if byte == 0x3c {  // <6>
          var next = at + 1
          while next < end, bytes[next] != 0x3e { next += 1 }
          guard next < end, next - at <= 4 else { return }
          at = next + 1
        } else if byte == 0x5b {  // [ 12.345678] or [ T1]
          var next = at + 1
          while next < end, bytes[next] != 0x5d { next += 1 }
          guard next < end, next - at <= 24, next + 1 < end, bytes[next + 1] == 32 else { return }
          at = next + 1
        } else {
          return
        }
      }
    }

    func starts(with text: StaticString) -> Bool {
      text.withUTF8Buffer { wanted in
        guard at + wanted.count <= end else { return false }
        for index in 0..<wanted.count where unsafe bytes[at + index] != wanted[index] {
          return false
        }
        return true
      }
    }

    func contains(_ text: StaticString) -> Bool {
      var probe = at
      while probe < end {
        if Cursor(bytes: bytes, at: probe, end: end).starts(with: text) { return true }
        probe += 1
      }
      return false
    }

    @_lifetime(self: copy self)
    mutating func take(_ text: StaticString) -> Bool {
      guard starts(with: text) else { return false }
      at += text.utf8CodeUnitCount
      return true
    }

    /// What each line of a mapping begins with.
    @_lifetime(self: copy self)
    mutating func addresses() -> (start: Address, end: Address)? {
      guard take("0x"), let start = address(), take("-0x"), let end = address() else { return nil }
      return (start: start, end: end)
    }

    /// The same without `0x`: what %pK printed.
    @_lifetime(self: copy self)
    mutating func bareAddresses() -> (start: Address, end: Address)? {
      guard let start = address(), start.digits == 16, take("-"), let end = address(),
        end.digits == 16
      else { return nil }
      return (start: start, end: end)
    }

    typealias Address = (value: UInt64, digits: Int, isNull: Bool)

    /// 8 or 16 digits, or what 2.6.29 and 2.6.30 printed for zero: `(null)`.
    @_lifetime(self: copy self)
    private mutating func address() -> Address? {
      while current == 32 { at += 1 }
      if take("(null)") { return (value: 0, digits: 16, isNull: true) }
      var value: UInt64 = 0
      var digits = 0
      while let digit = hexDigit(current) {
        value = value << 4 | UInt64(digit)
        digits += 1
        at += 1
      }
      return digits == 16 || digits == 8 ? (value: value, digits: digits, isNull: false) : nil
    }

    /// The number of `... 12 entries skipped ...`; zero where there is none.
    func skippedCount() -> Int {
      var cursor = Cursor(bytes: bytes, at: at, end: end)
      while cursor.current == 0x2e { cursor.at += 1 }
      cursor.skipBlanks()
      var count = 0
      while let byte = cursor.current, byte >= 0x30, byte <= 0x39, count < 1 << 40 {
        count = count * 10 + Int(byte - 0x30)
        cursor.at += 1
      }
      return count
    }

    private func hexDigit(_ byte: UInt8?) -> UInt8? {
      switch byte {
      case .some(0x30...0x39): (byte ?? 0) - 0x30
      case .some(0x61...0x66): (byte ?? 0) - 0x61 + 10
      default: nil
      }
    }

    /// A size in bytes; `UInt64.max` stands for a size that 64 bits cannot hold.
    @_lifetime(self: copy self)
    mutating func size() -> UInt64? {
      var value: UInt64 = 0
      var digits = 0
      while let byte = current, byte >= 0x30, byte <= 0x39 {
        let (product, over) = value.multipliedReportingOverflow(by: 10)
        guard !over, digits < 20 else { return nil }
        value = product &+ UInt64(byte - 0x30)
        digits += 1
        at += 1
      }
      guard digits > 0, let unit = current else { return nil }
      let power: Int
      switch unit {
      case UInt8(ascii: "B"): power = 0
      case UInt8(ascii: "K"): power = 1
      case UInt8(ascii: "M"): power = 2
      case UInt8(ascii: "G"): power = 3
      case UInt8(ascii: "T"): power = 4
      case UInt8(ascii: "P"): power = 5
      case UInt8(ascii: "E"): power = 6
      default: return nil
      }
      at += 1
      let shift = UInt64(power) * 10
      return (value << shift) >> shift == value ? value << shift : .max
    }

    @_lifetime(self: copy self)
    mutating func word() -> String? {
      var text = ""
      while let byte = current, byte != 32, byte != 9, text.utf8.count < 24 {
        text.unicodeScalars.append(Unicode.Scalar(byte))
        at += 1
      }
      return text.isEmpty ? nil : text
    }

    @_lifetime(self: copy self)
    mutating func markerName() -> String? {
      at += 4
      skipBlanks()
      var text = ""
      while let byte = current, byte != 0x5d, text.utf8.count < 80 {
        text.unicodeScalars.append(Unicode.Scalar(byte))
        at += 1
      }
      guard current == 0x5d else { return nil }
      while text.last == " " { text.removeLast() }
      return text
    }
  }
}
