package import KernelImages
package import MemoryImages
internal import PageTables

/// An address or a range as commands take them.
///
/// Hexadecimal, `symbol`, `symbol+offset`, `START-END` or `START+SIZE`. What reads as hexadecimal is
/// no symbol. END is exclusive, and zero is the top of the address space.
package struct AddressExpression: Sendable, Equatable {
  private enum Place: Sendable, Equatable {
    case address(UInt64)
    case symbol(String)
  }

  private enum Shape: Sendable, Equatable {
    case one(Place)
    case plus(Place, UInt64)
    case until(Place, offset: UInt64, end: Place, endOffset: UInt64)
  }

  /// As it was given.
  package let text: String
  private let shape: Shape

  package init(_ text: String) throws(UsageError) {
    self.text = text
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    guard (1...2).contains(ends.count), let first = Self.part(ends[0]) else {
      throw UsageError(
        "\(text) is no address: give hexadecimal, symbol, symbol+offset, START-END or START+SIZE")
    }
    if ends.count == 1 {
      shape = first.offset.map { .plus(first.place, $0) } ?? .one(first.place)
    } else if let last = Self.part(ends[1]) {
      shape = .until(
        first.place, offset: first.offset ?? 0, end: last.place, endOffset: last.offset ?? 0)
    } else {
      throw UsageError("\(text) is no range: give START-END or START+SIZE")
    }
  }

  private static func part(_ text: Substring) -> (place: Place, offset: UInt64?)? {
    let words = text.split(separator: "+", omittingEmptySubsequences: false)
    guard (1...2).contains(words.count), let place = place(words[0]) else { return nil }
    guard words.count == 2 else { return (place, nil) }
    return size(words[1]).map { (place, $0) }
  }

  private static func place(_ text: Substring) -> Place? {
    if let address = UInt64(hexText: text) { return .address(address) }
    let isName = text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
        || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "$")
    }
    guard isName, let first = text.utf8.first, !(0x30...0x39).contains(first) else { return nil }
    return .symbol(String(text))
  }

  /// Hexadecimal bytes, or a decimal number with a unit: `0x1000`, `4K`.
  private static func size(_ text: Substring) -> UInt64? {
    UInt64(hexText: text) ?? UInt64(sizeText: text)
  }

  /// Whether it is one address, and not a range: an offset goes with a symbol, a size with an address.
  package var isOneAddress: Bool {
    switch shape {
    case .one, .plus(.symbol, _): true
    case .plus(.address, _), .until: false
    }
  }

  /// The address.
  ///
  /// - Throws: `ImageError` where nothing tells the symbol.
  package func address(in subject: Subject) throws(ImageError) -> UInt64 {
    switch shape {
    case .one(let place): return try Self.resolved(place, in: subject)
    case .plus(let place, let offset): return try Self.resolved(place, in: subject) &+ offset
    case .until(let place, let offset, _, _):
      return try Self.resolved(place, in: subject) &+ offset
    }
  }

  /// The range; of one address without a size, that byte.
  ///
  /// - Throws: `ImageError` where nothing tells a symbol, or the range is empty.
  package func range(in subject: Subject) throws(ImageError) -> ClosedRange<UInt64> {
    let start: UInt64
    let end: UInt64
    switch shape {
    case .one(let place):
      start = try Self.resolved(place, in: subject)
      end = start &+ 1
    case .plus(let place, let size):
      start = try Self.resolved(place, in: subject)
      end = start &+ size
      // A size beyond the top would wrap.
      if size == 0 || (end != 0 && end < start) { throw empty(subject) }
    case .until(let first, let offset, let last, let endOffset):
      start = try Self.resolved(first, in: subject) &+ offset
      end = try Self.resolved(last, in: subject) &+ endOffset
    }
    guard end == 0 || start < end else { throw empty(subject) }
    return start...(end &- 1)
  }

  /// The physical addresses: as given, and of a symbol where the kernel's table maps it.
  ///
  /// - Throws: `ImageError` where nothing tells the symbol, it is not mapped, or no memory can lie there.
  package func frames(
    in subject: Subject, _ image: KernelImage
  ) throws(ImageError) -> ClosedRange<UInt64> {
    var range = try isOneAddress ? one(address(in: subject)) : range(in: subject)
    if isOfSymbol {
      guard let physical = image.walk(range.lowerBound).physical else {
        throw ImageError(
          subject.path, "\(text) is not mapped in the kernel's table",
          advice: "give a physical address")
      }
      range = physical...(physical &+ (range.upperBound - range.lowerBound))
    }
    guard range.upperBound < 1 << 52 else {
      throw ImageError(
        subject.path, "\(text) is no physical address: those have 52 bits at most",
        advice: "ptdump-lint walk shows where a virtual address leads")
    }
    return range
  }

  private func one(_ address: UInt64) -> ClosedRange<UInt64> { address...address }

  private var isOfSymbol: Bool {
    switch shape {
    case .one(.symbol), .plus(.symbol, _), .until(.symbol, _, _, _): true
    default: false
    }
  }

  private func empty(_ subject: Subject) -> ImageError {
    ImageError(
      subject.path, "the range \(text) is empty", advice: "give START-END, END exclusive")
  }

  private static func resolved(_ place: Place, in subject: Subject) throws(ImageError) -> UInt64 {
    switch place {
    case .address(let address): return address
    case .symbol(let name):
      guard let symbols = subject.symbols else {
        throw ImageError(
          subject.path, "no symbols tell where \(name) lies", advice: "give --symbols")
      }
      guard let address = symbols[name] else {
        throw ImageError(
          subject.path, "no symbol \(name)",
          advice: "give an address, or the --symbols that hold it"
        )
      }
      return address
    }
  }
}

extension UInt64 {
  /// Reads a decimal number of bytes with a unit of 1024: `4K`, `2M`, `1G`; nil for anything else.
  package init?(sizeText text: some StringProtocol) {
    let units: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
    guard let last = text.last, let unit = units[last],
      let number = UInt64(text.dropLast()), number <= UInt64.max >> unit,
      text.first != "+"
    else { return nil }
    self = number << unit
  }
}
