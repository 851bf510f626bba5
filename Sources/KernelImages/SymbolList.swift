/// Symbols as a table has them, their names in one row of bytes: a kernel has some hundred thousand,
/// and a look at it needs few.
struct SymbolList: Sendable {
  private var text: [UInt8] = []
  private(set) var addresses: [UInt64] = []
  /// Where each name ends in the text.
  private var ends: [UInt32] = []

  init() {}

  /// - Parameters:
  ///   - text: all names, one after the other.
  ///   - ends: where each name ends in the text, in ascending order.
  ///   - addresses: as many.
  init(_ text: [UInt8], _ ends: [UInt32], _ addresses: [UInt64]) {
    self.text = text
    self.ends = ends
    self.addresses = addresses
  }

  /// Those of several tables, one after the other.
  init(joining lists: [SymbolList]) {
    reserveCapacity(lists.reduce(0) { $0 + $1.count })
    for list in lists {
      for index in 0..<list.count {
        append(list.text[list.range(index)], at: list.addresses[index])
      }
    }
  }

  var count: Int { addresses.count }

  mutating func reserveCapacity(_ symbols: Int) {
    addresses.reserveCapacity(symbols)
    ends.reserveCapacity(symbols)
    text.reserveCapacity(symbols * 24)
  }

  /// Adds a symbol; names of more than 4 GiB in all have no room, and the rest is left out.
  mutating func append(_ name: some Collection<UInt8>, at address: UInt64) {
    guard let end = UInt32(exactly: text.count + name.count) else { return }
    text += name
    ends.append(end)
    addresses.append(address)
  }

  /// The same names at other addresses.
  func moved(_ place: (UInt64) -> UInt64) -> SymbolList {
    var moved = self
    moved.addresses = addresses.map(place)
    return moved
  }

  func name(_ index: Int) -> String { String(decoding: text[range(index)], as: UTF8.self) }

  /// The names, where they lie.
  @unsafe struct Names {
    fileprivate let text: UnsafeRawBufferPointer
    fileprivate let ends: UnsafeBufferPointer<UInt32>
    var count: Int { unsafe ends.count }

    subscript(index: Int) -> UnsafeRawBufferPointer {
      unsafe UnsafeRawBufferPointer(
        rebasing: text[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])])
    }
  }

  func withNames<Result>(_ body: (Names) -> Result) -> Result {
    unsafe text.withUnsafeBytes { text in
      unsafe ends.withUnsafeBufferPointer { unsafe body(Names(text: text, ends: $0)) }
    }
  }

  /// Where a name lies in the text.
  private func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])
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
  /// An index of the list and 1, above it the upper half of the name's hash; 0 where the slot is free.
  private var slots: [UInt64]
  /// Chosen anew each time, so that no image can have names that meet.
  private let seed = UInt64.random(in: 1...(.max))

  init(_ list: SymbolList) {
    var size = 16
    while size < list.count * 2 { size *= 2 }
    var slots = [UInt64](repeating: 0, count: size)
    let seed = seed
    unsafe list.withNames { names in
      unsafe slots.withUnsafeMutableBufferPointer { slots in
        for index in unsafe 0..<names.count {
          let name = unsafe names[index]
          let hash = unsafe Self.hash(of: name, seed)
          let slot = unsafe Self.slot(of: name, hash, in: UnsafeBufferPointer(slots), names)
          // Of several symbols of one name the first counts.
          if unsafe slots[slot] == 0 {
            unsafe slots[slot] = hash & Self.upper | UInt64(index + 1)
          }
        }
      }
    }
    self.slots = slots
  }

  func index(of name: String, in list: SymbolList) -> Int? {
    let found = unsafe list.withNames { names in
      unsafe Array(name.utf8).withUnsafeBytes { name in
        unsafe slots.withUnsafeBufferPointer { slots in
          unsafe slots[Self.slot(of: name, Self.hash(of: name, seed), in: slots, names)]
        }
      }
    }
    return found == 0 ? nil : Self.index(found)
  }

  private static let upper: UInt64 = ~0 << 32

  private static func index(_ slot: UInt64) -> Int { Int(slot & ~upper) - 1 }

  /// The slot that has a name, else the free one where it belongs.
  @inline(__always) private static func slot(
    of name: UnsafeRawBufferPointer, _ hash: UInt64, in slots: UnsafeBufferPointer<UInt64>,
    _ names: SymbolList.Names
  ) -> Int {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while unsafe slots[slot] != 0 {
      if unsafe slots[slot] & upper == hash & upper,
        unsafe names[index(slots[slot])].elementsEqual(name)
      {
        break
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  /// Eight bytes at a time: multiplied, with the two halves of the product put together.
  @inline(__always) private static func hash(
    of name: UnsafeRawBufferPointer, _ seed: UInt64
  ) -> UInt64 {
    var hash = seed ^ UInt64(name.count)
    func take(_ word: UInt64) {
      let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
      hash = product.high ^ product.low
    }
    guard name.count >= 8 else {
      take(unsafe name.reduce(0) { $0 << 8 | UInt64($1) })
      return hash
    }
    var at = 0
    while at + 8 < name.count {
      take(unsafe name.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      at += 8
    }
    // The last eight, some of which may have been taken before.
    take(unsafe name.loadUnaligned(fromByteOffset: name.count - 8, as: UInt64.self))
    return hash
  }
}
