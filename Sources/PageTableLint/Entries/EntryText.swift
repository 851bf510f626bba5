package import PageTables

/// Entries in the text of other tools.
///
/// It reads the lines of a kernel's report (`PGD 240c067 P4D ... PTE 0`, `*pdpt = ... *pte = ...`,
/// `pte:... pmd:...`, `bad pmd ffff...(80000004...)`), of crash's `vtop` (`PUD: 1b4a010 => 1c3d067`),
/// of this program's own walk (`pgd[273] 0x2a10000: 0x...`) and of QEMU's `info tlb` and `info mem`.
package struct EntryText: Sendable, Equatable {
  /// One entry as a line tells it.
  package struct Item: Sendable, Equatable {
    /// The number of its line, from 1.
    package let line: Int
    /// The level as the text names it; nil where it does not.
    package let name: String?
    /// The virtual address that it maps, where the line tells.
    package let address: UInt64?
    package let entry: UInt64
    /// Whether the text shows the access alone: no frame, no NX.
    package let isAccessOnly: Bool
    /// Whether the entry maps memory itself, where the text tells.
    package let isLarge: Bool?
  }

  package private(set) var items: [Item] = []
  /// The mode that the text suggests; nil where nothing does.
  package private(set) var mode: TableFormat?

  private static let names: [String: String] = [
    "pgd": "pgd", "p4d": "p4d", "pud": "pud", "pmd": "pmd", "pte": "pte", "pdpt": "pdpt",
    "pde": "pde", "pml4": "pgd",
  ]

  package init(_ text: String) {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where line.utf8.count <= 4096 {
      let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\u{a0}" }
        .map(String.init)
      guard !words.isEmpty else { continue }
      if takeQEMU(words, index + 1) { continue }
      takeNamed(words, index + 1)
      takeBad(words, index + 1)
    }
    mode = suggestedMode
  }

  /// The level's number in a mode; nil where the mode has no such level, or folds it.
  package func level(of item: Item, in mode: TableFormat) -> Int? {
    guard let name = item.name else {
      guard let isLarge = item.isLarge else { return nil }
      return isLarge ? largeLevel(item, mode) : 1
    }
    let aliases = [name] + (["pdpt": ["pgd"], "pde": ["pmd"], "p4d": ["pgd"]][name] ?? [])
    for alias in aliases {
      if let level = mode.levels.first(where: { $0.name == alias }) { return level.number }
    }
    return nil
  }

  /// QEMU prints no level: a 1G page is followed by an address 1G on.
  private func largeLevel(_ item: Item, _ mode: TableFormat) -> Int {
    guard mode.levels.count > 2, let address = item.address else { return 2 }
    let next = items.first { ($0.address ?? 0) > address }?.address
    let span = mode.level(3).span
    let isAligned = (address | mode.level(3).leafField.address(in: item.entry)) & (span - 1) == 0
    return isAligned && mode.level(3).mayBeLeaf && (next.map { $0 - address >= span } ?? false)
      ? 3 : 2
  }

  // MARK: - Entries with a name

  private mutating func takeNamed(_ words: [String], _ line: Int) {
    var found: [(name: String, value: UInt64, isSure: Bool)] = []
    for (index, word) in words.enumerated() {
      let plain = word.lowercased()
      let isStarred = plain.hasPrefix("*")
      let body = plain.drop { $0 == "*" || $0 == ">" || $0 == "[" }
      let letters = String(body.prefix { $0.isLetter || $0.isNumber })
      guard let name = Self.names[letters] else { continue }
      let rest = body.dropFirst(letters.count)
      func next(_ offset: Int) -> String? {
        index + offset < words.count ? words[index + offset] : nil
      }
      if rest.hasPrefix("["), next(1)?.hasSuffix(":") == true {
        // The walk of this program: `pgd[273] 0x2a10000: 0x240c067`.
        if let value = next(2).flatMap(Self.value) { found.append((name, value, true)) }
      } else if rest == ":" || rest.isEmpty, next(2) == "=>" {
        if let value = next(3).flatMap(Self.value) { found.append((name, value, true)) }
      } else if rest.hasPrefix(":") || rest.hasPrefix("="), rest.count > 1 {
        if let value = Self.value(String(rest.dropFirst())) { found.append((name, value, true)) }
      } else if rest.isEmpty, isStarred, next(1) == "=" {
        if let value = next(2).flatMap(Self.value) { found.append((name, value, true)) }
      } else if rest.isEmpty, let after = next(1), let value = Self.value(after) {
        // `PTE a` may be a sentence's.
        found.append((name, value, after.count > 2))
      }
    }
    guard found.contains(where: \.isSure) else { return }
    items += found.map {
      Item(
        line: line, name: $0.name, address: nil, entry: $0.value, isAccessOnly: false, isLarge: nil)
    }
  }

  /// `bad pmd ffff880012345678(80000004...)`, `bad pmd 80000004...`.
  private mutating func takeBad(_ words: [String], _ line: Int) {
    for index in words.indices.dropLast(2) where words[index].lowercased() == "bad" {
      guard let name = Self.names[words[index + 1].lowercased()] else { continue }
      let text = words[index + 2].drop { $0 == "(" }
      let inner = text.split(separator: "(", maxSplits: 1).last.map { $0.prefix { $0 != ")" } }
      guard let value = inner.flatMap({ Self.value(String($0)) }),
        !items.contains(where: { $0.line == line && $0.name == name && $0.entry == value })
      else { continue }
      items.removeAll { $0.line == line && $0.name == name }
      items.append(
        Item(line: line, name: name, address: nil, entry: value, isAccessOnly: false, isLarge: nil))
    }
  }

  /// Hexadecimal of an entry's length, punctuation after it left out.
  private static func value(_ word: String) -> UInt64? {
    let text = word.reversed().drop { ",;.)".contains($0) }.reversed()
    return UInt64(hexText: String(text))
  }

  // MARK: - QEMU

  /// Bits 63, 8, 7, 6, 5, 4, 3, 2 and 1 in the order in which QEMU prints them: `XGPDACTUW`.
  ///
  /// Source: `print_pte`, target/i386/monitor.c, QEMU 7.2.
  private static let letters: [(letter: Character, mask: UInt64)] = [
    ("X", 1 << 63), ("G", 1 << 8), ("P", 1 << 7), ("D", 1 << 6), ("A", 1 << 5), ("C", 1 << 4),
    ("T", 1 << 3), ("U", 1 << 2), ("W", 1 << 1),
  ]

  private mutating func takeQEMU(_ words: [String], _ line: Int) -> Bool {
    guard words.count == 3 else { return false }
    if words[0].hasSuffix(":"), words[2].count == Self.letters.count,
      let address = UInt64(hexText: String(words[0].dropLast())),
      let physical = UInt64(hexText: words[1]),
      zip(words[2], Self.letters).allSatisfy({ $0 == "-" || $0 == $1.letter })
    {
      var entry = physical | 1
      for (letter, flag) in zip(words[2], Self.letters) where letter != "-" { entry |= flag.mask }
      items.append(
        Item(
          line: line, name: nil, address: address, entry: entry, isAccessOnly: false,
          isLarge: entry & 1 << 7 != 0))
      return true
    }
    // `info mem`: `START-END SIZE urw`, source: `mem_print` there.
    guard words[2].count == 3, words[2].allSatisfy({ "urw-".contains($0) }),
      let dash = words[0].firstIndex(of: "-"), UInt64(hexText: words[1]) != nil,
      let address = UInt64(hexText: String(words[0][..<dash]))
    else { return false }
    let access: UInt64 = (words[2].contains("u") ? 4 : 0) | (words[2].contains("w") ? 2 : 0) | 1
    items.append(
      Item(
        line: line, name: nil, address: address, entry: access, isAccessOnly: true, isLarge: false))
    return true
  }

  // MARK: - Mode

  private var suggestedMode: TableFormat? {
    func values(_ name: String) -> [UInt64] { items.filter { $0.name == name }.map(\.entry) }
    if !values("pdpt").isEmpty { return .i386PAE }
    if !values("pde").isEmpty { return .i386 }
    if let address = items.lazy.compactMap(\.address).max() {
      return address > UInt64(UInt32.max) ? .x86_64 : nil
    }
    let p4d = values("p4d")
    // With four levels the kernel prints the same entry twice.
    if !p4d.isEmpty { return p4d == values("pgd") ? .x86_64 : .x86_64FiveLevel }
    return values("pud").isEmpty && values("pgd").isEmpty ? nil : .x86_64
  }
}
