internal import MemoryImages
internal import PageTables

/// The kernel's own symbol table in its memory.
///
/// Source: kernel/kallsyms.c and
/// scripts/kallsyms.c, 6.12; VMCOREINFO tells its addresses since 6.0.
enum Kallsyms {
  /// The names and where each table lies, so that an extract can keep them.
  static func tables(_ info: VMCoreInfo, _ reader: VirtualReader) -> [(UInt64, Int)]? {
    func symbol(_ name: String) -> UInt64? {
      info.symbol("kallsyms_\(name)")
    }
    guard let names = symbol("names"), let number = symbol("num_syms"),
      let tokens = symbol("token_table"), let index = symbol("token_index"),
      let offsets = symbol("offsets"), let base = symbol("relative_base"),
      let count = reader.word(at: number, size: 4), count > 0, count < 4 << 20,
      tokens > names, tokens - names < 64 << 20
    else { return nil }
    return [
      (number, 4), (names, Int(tokens - names)), (tokens, 16 << 10), (index, 512),
      (offsets, Int(count) * 4), (base, reader.wordSize),
    ]
  }

  /// The longest name, its type's letter included; the kernel cuts off what is longer.
  ///
  /// Source: `KSYM_NAME_LEN`, include/linux/kallsyms.h, 6.12.
  private static let mostLetters = 512

  static func read(_ info: VMCoreInfo, _ reader: VirtualReader) -> Symbols? {
    guard let tables = tables(info, reader),
      let names = reader.bytes(at: tables[1].0, count: tables[1].1),
      let index = reader.bytes(at: tables[3].0, count: 512),
      let lastToken = index.number(at: 510, size: 2),
      let tokens = reader.bytes(at: tables[2].0, count: Int(lastToken) + 128),
      let offsets = reader.bytes(at: tables[4].0, count: tables[4].1),
      let base = reader.word(at: tables[5].0)
    else { return nil }
    let expansions: [Range<Int>] = (0..<256).map { token in
      guard let start = index.number(at: token * 2, size: 2).map(Int.init), start < tokens.count
      else { return 0..<0 }
      return start..<(tokens[start...].firstIndex(of: 0) ?? tokens.count)
    }
    let count = offsets.count / 4
    let values = (0..<count).map { Int32(bitPattern: offsets.u32(at: $0 * 4) ?? 0) }
    // With ABSOLUTE_PERCPU what is relative to the image is stored negative.
    let absolutePercpu = values.contains { $0 < 0 }
    var list: [(name: String, address: UInt64)] = []
    list.reserveCapacity(count)
    var text: [UInt8] = []
    text.reserveCapacity(mostLetters)
    var at = 0
    for value in values {
      guard at < names.count else { return nil }
      var length = Int(names[at])
      at += 1
      if length & 0x80 != 0 {
        guard at < names.count else { return nil }
        length = length & 0x7f | Int(names[at]) << 7
        at += 1
      }
      guard at + length <= names.count else { return nil }
      text.removeAll(keepingCapacity: true)
      for token in names[at..<(at + length)] {
        for place in expansions[Int(token)] where text.count < mostLetters {
          text.append(tokens[place])
        }
      }
      at += length
      let address: UInt64
      if !absolutePercpu {
        address = base &+ UInt64(UInt32(bitPattern: value))
      } else if value >= 0 {
        address = UInt64(value)
      } else {
        address = base &- 1 &- UInt64(bitPattern: Int64(value))
      }
      // The first letter is the symbol's type.
      list.append((name: String(decoding: text.dropFirst(), as: UTF8.self), address: address))
    }
    return Symbols(list, source: "kallsyms of the image")
  }
}
