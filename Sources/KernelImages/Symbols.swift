internal import PageTables

/// The kernel's symbols by name, and by address.
package struct Symbols: Sendable {
  package let source: String
  /// The build that a vmlinux is of; nil for other sources.
  let buildID: String?
  private let list: SymbolList
  /// The list's indices in the order of addresses; nil where that is its own.
  private let order: [UInt32]?
  /// The addresses in ascending order.
  private let addresses: [UInt64]
  private let places: SymbolPlaces

  package init(
    _ list: [(name: String, address: UInt64)], source: String, buildID: String? = nil
  ) {
    var packed = SymbolList()
    for symbol in list { packed.append(symbol.name.utf8, at: symbol.address) }
    self.init(packed, source: source, buildID: buildID)
  }

  init(_ list: SymbolList, source: String, buildID: String? = nil) {
    self.init(list, SymbolPlaces(list), source: source, buildID: buildID)
  }

  private init(_ list: SymbolList, _ places: SymbolPlaces, source: String, buildID: String?) {
    self.source = source
    self.buildID = buildID
    self.list = list
    self.places = places
    order = list.order
    addresses = order.map { $0.map { list.addresses[Int($0)] } } ?? list.addresses
  }

  /// Several tables as one, nil for none.
  ///
  /// Where they disagree on a name, the first goes before.
  package init?(merging tables: [Symbols]) {
    guard let first = tables.first else { return nil }
    self =
      tables.count == 1
      ? first
      : Symbols(
        SymbolList(joining: tables.map(\.list)),
        source: tables.map(\.source).joined(separator: "; "))
  }

  /// The same symbols at other addresses.
  func moved(source: String, _ place: (UInt64) -> UInt64) -> Symbols {
    Symbols(list.moved(place), places, source: source, buildID: buildID)
  }

  package var count: Int { list.count }
  package subscript(name: String) -> UInt64? {
    places.index(of: name, in: list).map { list.addresses[$0] }
  }

  /// Calls `body` for each symbol of a range, in the order of addresses.
  package func forEach(in range: ClosedRange<UInt64>, _ body: (String, UInt64) -> Void) {
    var place = addresses.partitioningIndex { $0 >= range.lowerBound }
    while place < count, addresses[place] <= range.upperBound {
      body(name(atPlace: place), addresses[place])
      place += 1
    }
  }

  /// The name of the symbol that comes at `place` in the order of addresses.
  private func name(atPlace place: Int) -> String {
    list.name(order.map { Int($0[place]) } ?? place)
  }

  /// The next address behind `address` where a symbol starts.
  package func next(after address: UInt64) -> UInt64? {
    let place = addresses.partitioningIndex { $0 > address }
    return place < count ? addresses[place] : nil
  }

  /// The name of what starts at `address`.
  package func name(at address: UInt64) -> String? {
    var place = addresses.partitioningIndex { $0 >= address }
    var names: [String] = []
    while place < count, addresses[place] == address, names.count < Self.mostAliases {
      names.append(name(atPlace: place))
      place += 1
    }
    names.sort()
    // Sections' marks share addresses with what starts there: a page table's own name says more,
    // and they say more than the section's first variable.
    return names.first { $0.hasSuffix("_pgt") || $0.hasSuffix("pg_dir") || $0.hasSuffix("_pgd") }
      ?? names.first(where: Self.sectionMarks.contains) ?? names.first
  }

  /// Of a name of which a damaged table has thousands the first are enough.
  private static let mostAliases = 1024

  /// Source: include/asm-generic/vmlinux.lds.h, 6.12.
  private static let sectionMarks: Set = [
    "_text", "_etext", "__start_rodata", "__end_rodata", "_sdata", "_edata", "__init_begin",
    "__init_end", "__bss_start", "__bss_stop", "__brk_base", "_end",
  ]

  /// The symbol that `address` lies behind, as text: `name`, or `name+0x10`.
  package func label(around address: UInt64) -> String? {
    name(around: address).map { $0.offset == 0 ? $0.name : "\($0.name)+\($0.offset.entry)" }
  }

  /// The symbol that `address` lies behind, with the distance in bytes.
  package func name(around address: UInt64) -> (name: String, offset: UInt64)? {
    let place = addresses.partitioningIndex { $0 > address }
    guard place > 0 else { return nil }
    let start = addresses[place - 1]
    return name(at: start).map { (name: $0, offset: address - start) }
  }
}
