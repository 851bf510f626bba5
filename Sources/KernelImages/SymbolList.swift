/// Symbols as a table has them, their names in one row of bytes: a kernel has some hundred thousand,
/// and a look at it needs few.
struct SymbolList: Sendable {
  private var text: [UInt8] = []
  private(set) var addresses: [UInt64] = []
  /// Where each name ends in the text.
  private var ends: [UInt32] = []

  var count: Int { addresses.count }

  mutating func reserveCapacity(_ symbols: Int) {
    addresses.reserveCapacity(symbols)
    ends.reserveCapacity(symbols)
    text.reserveCapacity(symbols * 16)
  }

  /// Adds a symbol; names of more than 4 GiB in all have no room, and the rest is left out.
  mutating func append(_ name: ArraySlice<UInt8>, at address: UInt64) {
    guard let end = UInt32(exactly: text.count + name.count) else { return }
    text += name
    ends.append(end)
    addresses.append(address)
  }

  func name(_ index: Int) -> String { String(decoding: letters(index), as: UTF8.self) }

  func letters(_ index: Int) -> ArraySlice<UInt8> {
    text[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])]
  }

  /// The indices in the order of addresses; nil where that is their own.
  var order: [UInt32]? {
    if zip(addresses, addresses.dropFirst()).allSatisfy({ $0 <= $1 }) { return nil }
    return (0..<UInt32(clamping: count)).sorted {
      (addresses[Int($0)], $0) < (addresses[Int($1)], $1)
    }
  }
}

/// Where the names of a list are: a hash table.
struct SymbolPlaces: Sendable {
  /// An index of the list and 1; 0 where the slot is free.
  private var slots: [UInt32]

  init(_ list: SymbolList) {
    var size = 16
    while size < list.count * 2 { size *= 2 }
    slots = Array(repeating: 0, count: size)
    for index in 0..<list.count {
      let slot = slot(of: list.letters(index), in: list)
      // Of several symbols of one name the first counts.
      if slots[slot] == 0 { slots[slot] = UInt32(truncatingIfNeeded: index + 1) }
    }
  }

  func index(of name: String, in list: SymbolList) -> Int? {
    let index = slots[slot(of: Array(name.utf8)[...], in: list)]
    return index == 0 ? nil : Int(index) - 1
  }

  /// The slot that has a name, else the free one where it belongs.
  private func slot(of name: ArraySlice<UInt8>, in list: SymbolList) -> Int {
    // Seeded, so that no image can choose names that meet.
    var hasher = Hasher()
    unsafe name.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    var slot = hasher.finalize() & (slots.count - 1)
    while slots[slot] != 0, list.letters(Int(slots[slot]) - 1) != name {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}
