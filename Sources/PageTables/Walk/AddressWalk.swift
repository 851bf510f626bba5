/// One level of the way from a root to an address.
package struct WalkStep: Sendable, Equatable, Codable {
  package let level: Int
  /// The physical address of the table.
  package let table: UInt64
  package let index: Int
  package let entry: UInt64
  /// What this entry and those above allow.
  package let access: Access

  package init(level: Int, table: UInt64, index: Int, entry: UInt64, access: Access) {
    self.level = level
    self.table = table
    self.index = index
    self.entry = entry
    self.access = access
  }
}

/// Where one address leads.
package struct WalkResult: Sendable, Equatable, Codable {
  package enum End: Sendable, Equatable, Codable {
    /// Mapped: the physical address, and the bytes of the leaf.
    case leaf(physical: UInt64, size: UInt64)
    case notPresent
    case reservedBits(UInt64)
    case unreadable(UnreadableMemory)
    case notCanonical
  }

  package var steps: [WalkStep]
  package var end: End

  package init(steps: [WalkStep], end: End) {
    self.steps = steps
    self.end = end
  }

  /// The physical address of a mapped address.
  package var physical: UInt64? {
    if case .leaf(let physical, _) = end { physical } else { nil }
  }
}

extension TableFormat {
  /// Walks one address, level by level.
  package func walk(_ address: UInt64, root: UInt64, memory: any PhysicalMemory) -> WalkResult {
    var steps: [WalkStep] = []
    let end = follow(address, root: root, memory: memory) { steps.append($0) }
    return WalkResult(steps: steps, end: end)
  }

  /// Where one address leads, without the way to it.
  package func end(
    of address: UInt64, root: UInt64, memory: any PhysicalMemory
  ) -> WalkResult.End {
    follow(address, root: root, memory: memory) { _ in }
  }

  @inline(__always) private func follow(
    _ address: UInt64, root: UInt64, memory: any PhysicalMemory, _ visit: (WalkStep) -> Void
  ) -> WalkResult.End {
    guard isCanonical(address) else { return .notCanonical }
    var at = root
    var access = Access.all
    for level in levels.reversed() {
      let index = level.index(of: address)
      let entry: UInt64
      do {
        entry = try self.entry(index, ofTableAt: at, level, in: memory)
      } catch {
        return .unreadable(error)
      }
      access = self.access(entry, at: level, below: access)
      visit(WalkStep(level: level.number, table: at, index: index, entry: entry, access: access))
      switch level.classify(entry) {
      case .invalid: return .notPresent
      case .leaf:
        let reserved = entry & level.reservedInLeaf
        guard reserved == 0 else { return .reservedBits(reserved) }
        return .leaf(
          physical: level.leafField.address(in: entry) | (address & (level.span - 1)),
          size: level.span)
      case .table:
        guard entry & level.reservedInTable == 0 else {
          return .reservedBits(entry & level.reservedInTable)
        }
        at = tableField.address(in: entry)
      }
    }
    return .notPresent
  }

  /// One entry of a table that can be read as a whole.
  private func entry(
    _ index: Int, ofTableAt address: UInt64, _ level: Level, in memory: any PhysicalMemory
  ) throws(UnreadableMemory) -> UInt64 {
    if hasEntriesInPlace,
      let table = unsafe try memory.mapped(at: address, size: bytes(ofTableOf: level))
    {
      return unsafe table.loadUnaligned(fromByteOffset: index * entrySize, as: UInt64.self)
    }
    var table = emptyTable(level)
    try readTable(at: address, from: memory, into: &table)
    return table[index]
  }
}

extension TableFormat {
  /// The first leaf between two addresses; nil where there is none, or none within so many tables.
  package func firstLeaf(
    from: UInt64, through: UInt64, root: UInt64, memory: any PhysicalMemory, tables: Int = 4096
  ) -> (address: UInt64, physical: UInt64)? {
    var tablesLeft = tables
    func search(_ table: UInt64, _ level: Level, _ base: UInt64)
      -> (address: UInt64, physical: UInt64)?
    {
      var entries = emptyTable(level)
      tablesLeft -= 1
      guard tablesLeft >= 0 else { return nil }
      // What lies around it is not needed.
      memory.willRead([table], size: bytes(ofTableOf: level))
      guard (try? readTable(at: table, from: memory, into: &entries)) != nil else { return nil }
      for (index, entry) in entries.enumerated() {
        let kind = level.classify(entry)
        let start = canonical(base &+ UInt64(index) &* level.span)
        guard kind != .invalid, start &+ (level.span &- 1) >= from, start <= through else {
          continue
        }
        if kind == .leaf { return (address: start, physical: level.leafField.address(in: entry)) }
        let next = tableField.address(in: entry)
        if let found = search(next, self.level(level.number - 1), start) { return found }
      }
      return nil
    }
    return search(root, self.root, hasOneRoot ? 0 : from & ~indexedBits)
  }
}
