internal import PageTables

/// The kernel's symbols by name, and by address.
package struct Symbols: Sendable {
  package let source: String
  /// The build that a vmlinux is of; nil for other sources.
  let buildID: String?
  private let addresses: [String: UInt64]
  private let sorted: [(address: UInt64, name: String)]

  package init(
    _ list: [(name: String, address: UInt64)], source: String, buildID: String? = nil
  ) {
    self.source = source
    self.buildID = buildID
    addresses = Dictionary(
      list.map { ($0.name, $0.address) }, uniquingKeysWith: { first, _ in first })
    sorted = list.map { (address: $0.address, name: $0.name) }.sorted { $0 < $1 }
  }

  /// Several tables as one, nil for none.
  ///
  /// Where they disagree on a name, the first goes before.
  package init?(merging tables: [Symbols]) {
    guard let first = tables.first else { return nil }
    self =
      tables.count == 1
      ? first
      : Symbols(tables.flatMap(\.all), source: tables.map(\.source).joined(separator: "; "))
  }

  /// In the order of addresses.
  var all: [(name: String, address: UInt64)] {
    sorted.map { (name: $0.name, address: $0.address) }
  }

  package var count: Int { sorted.count }
  package subscript(name: String) -> UInt64? { addresses[name] }

  /// The next address behind `address` where a symbol starts.
  package func next(after address: UInt64) -> UInt64? {
    let index = sorted.partitioningIndex { $0.address > address }
    return index < sorted.count ? sorted[index].address : nil
  }

  /// The name of what starts at `address`.
  package func name(at address: UInt64) -> String? {
    var low = sorted.partitioningIndex { $0.address >= address }
    var names: [String] = []
    while low < sorted.count, sorted[low].address == address, names.count < Self.mostAliases {
      names.append(sorted[low].name)
      low += 1
    }
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
    let low = sorted.partitioningIndex { $0.address > address }
    guard low > 0 else { return nil }
    let start = sorted[low - 1].address
    return name(at: start).map { (name: $0, offset: address - start) }
  }
}
