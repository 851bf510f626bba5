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
    let expansions: [Range<Int>] = (0..<256).map { token in
      guard let start = index.number(at: token * 2, size: 2).map(Int.init), start < tokens.count
      else { return 0..<0 }
      let end = tokens[start...].firstIndex(of: 0) ?? tokens.count
      return start..<min(end, start + Self.mostLetters)
    }
    var list = SymbolList()
    list.reserveCapacity(count)
    // Eight letters are copied at a time: most of a token's, and what follows it.
    let letters = tokens + [UInt8](repeating: 0, count: 8)
    var text = [UInt8](repeating: 0, count: 2 * Self.mostLetters + 8)
    var at = 0
    for address in addresses {
      guard let name = Self.name(in: names, at: at) else { return nil }
      at = name.upperBound
      var end = 0
      unsafe text.withUnsafeMutableBytes { text in
        unsafe letters.withUnsafeBytes { letters in
          for place in name where end < Self.mostLetters {
            let token = expansions[Int(names[place])]
            var copied = 0
            while copied < token.count {
              let word = unsafe letters.loadUnaligned(
                fromByteOffset: token.lowerBound + copied, as: UInt64.self)
              unsafe text.storeBytes(of: word, toByteOffset: end + copied, as: UInt64.self)
              copied += 8
            }
            end += token.count
          }
        }
      }
      // The first letter is the symbol's type.
      list.append(text[..<min(end, Self.mostLetters)].dropFirst(), at: address)
    }
    return Symbols(list, source: "kallsyms of the image")
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
    let values = (0..<count).map { Int32(bitPattern: offsets.u32(at: $0 * 4) ?? 0) }
    switch base {
    case .none: return nil
    case .ownPlace:
      return values.enumerated().map { index, value in
        self.offsets &+ UInt64(index * 4) &+ UInt64(bitPattern: Int64(value))
      }
    case .variable(let place):
      guard let base = reader.word(at: place) else { return nil }
      // With ABSOLUTE_PERCPU what is relative to the image is stored negative.
      let absolutePercpu = values.contains { $0 < 0 }
      return values.map { value in
        guard absolutePercpu else { return base &+ UInt64(UInt32(bitPattern: value)) }
        return value >= 0 ? UInt64(value) : base &- 1 &- UInt64(bitPattern: Int64(value))
      }
    }
  }
}
