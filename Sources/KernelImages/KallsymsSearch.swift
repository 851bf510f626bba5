internal import MemoryImages
internal import PageTables

/// Finds the kernel's symbol table by its shape, where no note tells it: VMCOREINFO does since 6.0.
///
/// The token table gives it away. Each of its 256 tokens is text that ends with a zero, and a token
/// whose code is a digit's stands for that digit alone, since names hold digits. The token index
/// confirms it, the names lie in front of it, and what is found has to give the addresses that are
/// known from elsewhere.
///
/// Source: scripts/kallsyms.c, `write_src`, 2.6.26, 4.5, 5.10, 6.4, 6.12 and 7.3.
package enum KallsymsSearch {
  /// No image of a kernel is larger.
  private static let mostImageBytes: UInt64 = 128 << 20

  package static func tables(_ info: VMCoreInfo?, _ reader: VirtualReader) -> Kallsyms? {
    let text = Root.text(mode: reader.mode, root: reader.root, memory: reader.memory)?.address
    guard let start = info?.symbol("_stext") ?? text else { return nil }
    var search = KallsymsScan(reader, from: start & ~4095, count: mostImageBytes)
    var effort = Effort()
    while let place = search.next(), effort.takeDigits() {
      guard let tokens = Tokens(digitsAt: place, reader), effort.takeTokens(),
        let names = Names(before: tokens.start, from: start, reader, &effort)
      else { continue }
      let found = candidates(names, tokens, reader).first { candidate in
        guard let symbols = candidate.symbols(reader) else { return false }
        if let stext = info?.symbol("_stext") { return symbols["_stext"] == stext }
        return symbols["_text"] == text
      }
      if let found { return found }
    }
    return nil
  }

  /// The places that the offsets may have: in front of the names, or after the token index.
  private static func candidates(_ names: Names, _ tokens: Tokens, _ reader: VirtualReader)
    -> [Kallsyms]
  {
    func tables(_ offsets: UInt64, _ base: Kallsyms.Base) -> Kallsyms {
      Kallsyms(
        count: names.count, countPlace: names.countPlace, names: names.start,
        tokens: tokens.start, tokenIndex: tokens.index, offsets: offsets, base: base)
    }
    let word = UInt64(reader.wordSize)
    let size = UInt64(names.count * 4)
    let after = tokens.index &+ 512
    let oldBase = names.countPlace &- word
    let old = oldBase &- size.rounded(up: word)
    let whole = names.countPlace &- UInt64(names.count) &* word
    return [
      tables(old, .variable(at: oldBase)),
      tables(
        after.rounded(up: word), .variable(at: (after.rounded(up: word) &+ size).rounded(up: word))),
      tables(after, .ownPlace), tables(after.rounded(up: word), .ownPlace), tables(whole, .none),
    ]
  }
}

extension UInt64 {
  fileprivate func rounded(up alignment: UInt64) -> UInt64 {
    (self &+ (alignment &- 1)) & ~(alignment &- 1)
  }
}

/// What a search may look at: an image may be made so that its tables seem to lie everywhere.
private struct Effort {
  private var digits = 1 << 12
  private var tokens = 16
  private var names = 1 << 27

  /// Whether one more place that has the digits' tokens may be looked at: an image has a few.
  mutating func takeDigits() -> Bool {
    digits -= 1
    return digits >= 0
  }

  /// Whether the names before one more table of tokens may be looked for: an image has one.
  mutating func takeTokens() -> Bool {
    tokens -= 1
    return tokens >= 0
  }

  /// Whether one more name may be read: a kernel has some 200,000, and what lies before the tables may
  /// look like the start of them at many places.
  mutating func takeName() -> Bool {
    names -= 1
    return names >= 0
  }
}

/// `kallsyms_token_table` and `kallsyms_token_index`.
private struct Tokens {
  let start: UInt64
  let index: UInt64

  /// - Parameter digitsAt: where the tokens of the digits lie.
  init?(digitsAt place: UInt64, _ reader: VirtualReader) {
    let first = 0x30
    // All tokens from the first digit's on, each of some letters.
    guard let bytes = reader.longest(at: place, count: 16 << 10) else { return nil }
    var starts: [Int] = []
    var at = 0
    while starts.count < 256 - first {
      guard let end = bytes[min(at, bytes.count)...].firstIndex(of: 0) else { return nil }
      starts.append(at)
      at = end + 1
    }
    for padding in [0, 1, 2, 3, 4, 5, 6, 7] where at + padding + 512 <= bytes.count {
      let base = at + padding
      guard (place &+ UInt64(base)) & 1 == 0, bytes[at..<base].allSatisfy({ $0 == 0 }),
        bytes.number(at: base, size: 2) == 0,
        let offset = bytes.number(at: base + 2 * first, size: 2),
        starts.indices.allSatisfy({ index in
          bytes.number(at: base + 2 * (first + index), size: 2) == offset &+ UInt64(starts[index])
        })
      else { continue }
      start = place &- offset
      index = place &+ UInt64(base)
      return
    }
    return nil
  }
}

/// `kallsyms_num_syms` and `kallsyms_names`.
private struct Names {
  let countPlace: UInt64
  let count: Int
  let start: UInt64

  /// The names end where a table of markers begins: the place of each 256th name.
  init?(
    before tokens: UInt64, from first: UInt64, _ reader: VirtualReader, _ effort: inout Effort
  ) {
    guard tokens > first else { return nil }
    let span = min(Int(clamping: tokens - first), 16 << 20)
    let start = tokens &- UInt64(span)
    guard let (begin, bytes) = reader.latest(before: tokens, from: start) else { return nil }
    var place = (bytes.count & ~3) - 8
    // Tables lie at multiples of four.
    place -= Int(begin & 3)
    while place >= 0 {
      defer { place -= 4 }
      guard let count = bytes.u32(at: place).map(Int.init), count >= 256 else { continue }
      let size = bytes.count - place
      // A name takes some 4 to 60 bytes.
      guard count > size / 60, count < size / 4 else { continue }
      for names in [place + 4, place + 8] where Self.holds(bytes, names, count, &effort) {
        countPlace = begin &+ UInt64(place)
        self.count = count
        self.start = begin &+ UInt64(names)
        return
      }
    }
    return nil
  }

  private static func holds(
    _ bytes: [UInt8], _ start: Int, _ count: Int, _ effort: inout Effort
  ) -> Bool {
    var at = start
    var second = 0
    for number in 0..<count {
      if number == 256 { second = at - start }
      guard effort.takeName(), let name = Kallsyms.name(in: bytes, at: at) else { return false }
      at = name.upperBound
    }
    guard count > 256 else { return false }
    // 32 bits since 4.20, before that a long.
    return (0..<8).contains { padding in
      bytes.u32(at: at + padding) == 0
        && [4, 8].contains { bytes.u32(at: at + padding + $0).map(Int.init) == second }
    }
  }
}

extension VirtualReader {
  /// As many bytes as can be read from a place on, page by page.
  fileprivate func longest(at address: UInt64, count: Int) -> [UInt8]? {
    var found: [UInt8] = []
    while found.count < count {
      let at = address &+ UInt64(found.count)
      guard let part = bytes(at: at, count: min(count - found.count, Int(4096 - (at & 4095))))
      else { break }
      found += part
    }
    return found.isEmpty ? nil : found
  }

  /// What can be read without a gap up to `end`, at most from `start` on.
  fileprivate func latest(before end: UInt64, from start: UInt64)
    -> (start: UInt64, bytes: [UInt8])?
  {
    var parts: [[UInt8]] = []
    var at = end
    while at > start {
      let begin = max(start, (at &- 1) & ~4095)
      guard let part = bytes(at: begin, count: Int(at - begin)) else { break }
      parts.append(part)
      at = begin
    }
    return parts.isEmpty ? nil : (at, Array(parts.reversed().joined()))
  }
}
