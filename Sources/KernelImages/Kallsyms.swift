internal import MemoryImages
internal import PageTables

/// The kernel's own symbol table in its memory.
///
/// Source: kernel/kallsyms.c and scripts/kallsyms.c, 2.6.26, 4.5, 5.10, 6.12 and 7.3.
package struct Kallsyms {
  /// What a symbol's place in the table is relative to.
  ///
  /// It is a 32-bit offset but for `none`.
  package enum Base: Equatable {
    /// Nothing: before 4.6 `kallsyms_addresses` holds whole addresses, a long each.
    case none
    /// The kernel's `kallsyms_relative_base`, which lies there: 4.6 to 6.19.
    case variable(at: UInt64)
    /// The offset's own place: since 7.0.
    case ownPlace
  }

  /// The number of symbols.
  package let count: Int
  /// Where `kallsyms_num_syms` lies, 32 bits.
  package let countPlace: UInt64
  package let names: UInt64
  package let tokens: UInt64
  package let tokenIndex: UInt64
  /// `kallsyms_offsets`, or `kallsyms_addresses` where the base is none.
  package let offsets: UInt64
  package let base: Base

  /// The longest name, its type's letter included; the kernel cuts off what is longer.
  ///
  /// Source: `KSYM_NAME_LEN`, include/linux/kallsyms.h, 6.12.
  private static let mostLetters = 512
  static let mostSymbols = 4 << 20
  static let mostNameBytes = 64 << 20

  /// The tables of the kernel in `reader`, by its note, else by their content.
  package static func find(_ info: VMCoreInfo?, _ reader: VirtualReader) -> Kallsyms? {
    if let info, info.mentions("kallsyms_") { return Kallsyms(info, reader) }
    return KallsymsSearch.tables(info, reader)
  }

  init(
    count: Int, countPlace: UInt64, names: UInt64, tokens: UInt64, tokenIndex: UInt64,
    offsets: UInt64, base: Base
  ) {
    self.count = count
    self.countPlace = countPlace
    self.names = names
    self.tokens = tokens
    self.tokenIndex = tokenIndex
    self.offsets = offsets
    self.base = base
  }

  /// The tables that VMCOREINFO tells: since 6.0.
  private init?(_ info: VMCoreInfo, _ reader: VirtualReader) {
    func symbol(_ name: String) -> UInt64? {
      info.symbol("kallsyms_\(name)")
    }
    guard let names = symbol("names"), let number = symbol("num_syms"),
      let tokens = symbol("token_table"), let index = symbol("token_index"),
      let offsets = symbol("offsets"),
      let count = reader.word(at: number, size: 4), count > 0, count < Self.mostSymbols,
      tokens > names, tokens - names < Self.mostNameBytes
    else { return nil }
    self.init(
      count: Int(count), countPlace: number, names: names, tokens: tokens, tokenIndex: index,
      offsets: offsets,
      base: symbol("relative_base").map { .variable(at: $0) } ?? .ownPlace)
  }

  /// Where each table lies, and its bytes, so that an extract can keep them.
  func places(_ reader: VirtualReader) -> [(address: UInt64, count: Int)] {
    var places: [(address: UInt64, count: Int)] = [
      (countPlace, 4), (names, Int(tokens - names)), (tokens, 16 << 10), (tokenIndex, 512),
      (offsets, count * (base == .none ? reader.wordSize : 4)),
    ]
    if case .variable(let address) = base { places.append((address, reader.wordSize)) }
    return places
  }

  func symbols(_ reader: VirtualReader) -> Symbols? {
    guard let names = reader.bytes(at: names, count: Int(tokens - names)),
      let index = reader.bytes(at: tokenIndex, count: 512),
      let lastToken = index.number(at: 510, size: 2),
      let tokens = reader.bytes(at: tokens, count: Int(lastToken) + 128),
      let addresses = addresses(reader)
    else { return nil }
    guard let list = list(of: names, at: addresses, Self.expansions(tokens, index), tokens) else {
      return nil
    }
    return Symbols(list, source: "kallsyms of the image")
  }

  /// What a token stands for: so many letters from a place on, and the first eight of them.
  private struct Expansion {
    let word: UInt64
    let start: UInt32
    let count: UInt32
  }

  private static func expansions(_ tokens: [UInt8], _ index: [UInt8]) -> [Expansion] {
    (0..<256).map { token in
      guard let start = index.number(at: token * 2, size: 2).map(Int.init), start < tokens.count
      else { return Expansion(word: 0, start: 0, count: 0) }
      let count = tokens[start...].prefix(mostLetters).prefix { $0 != 0 }.count
      let word = tokens.number(at: start, size: min(8, count)) ?? 0
      return Expansion(word: word.littleEndian, start: UInt32(start), count: UInt32(count))
    }
  }

  /// The names, one after the other in `names`; nil where those end too early, or are too many.
  private func list(
    of names: [UInt8], at addresses: [UInt64], _ expansions: [Expansion], _ tokens: [UInt8]
  ) -> SymbolList? {
    var text: [UInt8] = []
    text.reserveCapacity(count * 24)
    var ends: [UInt32] = []
    ends.reserveCapacity(count)
    // Names side by side, some of which are kept at a time.
    var room = [UInt8](repeating: 0, count: Self.mostTogether + 2 * Self.mostLetters + 8)
    let isWhole = unsafe room.withUnsafeMutableBytes { room in
      var (at, end) = (0, 1)
      for _ in addresses {
        guard let name = Self.name(in: names, at: at), text.count < Self.mostNameBytes else {
          return false
        }
        at = name.upperBound
        // The first letter is the symbol's type: it falls on the last one of the name before.
        let last = unsafe room[end - 1]
        let letters = unsafe Self.expand(
          names.span.extracting(name), expansions.span, tokens.span,
          into: UnsafeMutableRawBufferPointer(rebasing: room[(end - 1)...]))
        unsafe room[end - 1] = last
        end += max(1, letters) - 1
        ends.append(UInt32(truncatingIfNeeded: text.count + end - 1))
        if end > Self.mostTogether {
          unsafe text.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[1..<end]))
          end = 1
        }
      }
      unsafe text.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[1..<end]))
      return true
    }
    return isWhole ? SymbolList(text, ends, addresses) : nil
  }

  private static let mostTogether = 32 << 10

  /// Writes what tokens stand for; of a name that is too long its beginning.
  ///
  /// - Parameter text: has room for two of the longest names and eight bytes.
  /// - Returns: the number of letters.
  @inline(__always) private static func expand(
    _ name: borrowing Span<UInt8>, _ expansions: borrowing Span<Expansion>,
    _ tokens: borrowing Span<UInt8>, into text: UnsafeMutableRawBufferPointer
  ) -> Int {
    var end = 0
    for place in name.indices {
      let expansion = unsafe expansions[unchecked: Int(name[unchecked: place])]
      // Eight letters at a time: most of a token's, and what the next one overwrites.
      unsafe text.storeBytes(of: expansion.word, toByteOffset: end, as: UInt64.self)
      if expansion.count > 8 {
        for further in 8..<Int(expansion.count) {
          unsafe text[end + further] = tokens[Int(expansion.start) + further]
        }
      }
      end += Int(expansion.count)
      if end >= mostLetters { return mostLetters }
    }
    return end
  }

  /// The tokens of the name that begins at a place: its length, then so many tokens.
  ///
  /// A length of 128 and more takes two bytes since 6.1.
  static func name(in names: [UInt8], at start: Int) -> Range<Int>? {
    guard start < names.count else { return nil }
    var at = start + 1
    var length = Int(names[start])
    if length & 0x80 != 0 {
      guard at < names.count else { return nil }
      length = length & 0x7f | Int(names[at]) << 7
      at += 1
    }
    guard length > 0, at + length <= names.count else { return nil }
    return at..<(at + length)
  }

  private func addresses(_ reader: VirtualReader) -> [UInt64]? {
    if base == .none {
      let size = reader.wordSize
      guard let bytes = reader.bytes(at: offsets, count: count * size) else { return nil }
      return (0..<count).map { bytes.number(at: $0 * size, size: size) ?? 0 }
    }
    guard let offsets = reader.bytes(at: offsets, count: count * 4) else { return nil }
    return unsafe offsets.withUnsafeBytes { bytes in
      func value(_ index: Int) -> Int32 {
        Int32(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
      }
      switch base {
      case .none: return nil
      case .ownPlace:
        return (0..<count).map { index in
          self.offsets &+ UInt64(index * 4) &+ UInt64(bitPattern: Int64(value(index)))
        }
      case .variable(let place):
        guard let base = reader.word(at: place) else { return nil }
        // With ABSOLUTE_PERCPU what is relative to the image is stored negative.
        let absolutePercpu = (0..<count).contains { value($0) < 0 }
        return (0..<count).map { index in
          let value = value(index)
          guard absolutePercpu else { return base &+ UInt64(UInt32(bitPattern: value)) }
          return value >= 0 ? UInt64(value) : base &- 1 &- UInt64(bitPattern: Int64(value))
        }
      }
    }
  }
}
