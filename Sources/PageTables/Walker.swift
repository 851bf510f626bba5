/// The tables through which KASAN maps its shadow's unused parts to one page.
///
/// Source: `kasan_early_shadow_pte` and its kin, mm/kasan/init.c, 6.12.
package struct EarlyShadow: Sendable {
  /// The physical address of the table of each level.
  package let tables: [Int: UInt64]
  /// The first entry of the lowest of them.
  package let entry: UInt64

  package init(tables: [Int: UInt64], entry: UInt64) {
    self.tables = tables
    self.entry = entry
  }
}

/// Walks page tables in physical memory into an address space.
package struct Walker {
  private struct TableKey: Hashable {
    let address: UInt64
    let level: Int
    let inherited: UInt64
  }

  private let mode: PagingMode
  private let memory: any PhysicalMemory
  private let shadow: EarlyShadow?
  /// Where the walk ends; zero for the top of the address space.
  private var end: UInt64 = 0
  private var space: AddressSpace
  private var scratch: [[UInt64]]
  /// The tables read so far, with their runs relative to the table's first address where those
  /// are few enough to keep for splicing.
  private var walked: [TableKey: [Run]?] = [:]
  private var stopped = false
  /// The tables on the way to the one that is read.
  private var path: [UInt64] = []
  /// Runs from spliced tables that a walk may add beyond 512 for each table it read.
  ///
  /// ESPfix, the
  /// most wasteful thing Linux does with shared tables, makes about 131,072 a processor.
  private static let spliceAllowance = 4 << 20
  /// A subtree with more runs than this is walked again rather than kept for splicing.
  private static let keptRuns = 512
  private static let anomaliesKept = 1000

  /// Reads every table below `root`.
  ///
  /// - Parameters:
  ///   - root: the physical address of the top table.
  ///   - userHalfOnly: leaves out the kernel's half of the top table.
  ///   - shadow: tables that are taken for one leaf, as the kernel's own dumper does.
  ///   - progress: called now and then with the number of tables read.
  package static func walk(
    root: UInt64, mode: PagingMode, memory: any PhysicalMemory, userHalfOnly: Bool = false,
    shadow: EarlyShadow? = nil, progress: ((Int) -> Void)? = nil
  ) -> AddressSpace {
    var walker = Walker(mode: mode, memory: memory, shadow: shadow)
    walker.end = userHalfOnly ? mode.upperHalf : 0
    walker.walkTable(
      at: root, level: mode.levels.count, base: 0, inherited: mode.unrestricted, pointer: nil,
      progress: progress)
    return walker.space
  }

  private init(mode: PagingMode, memory: any PhysicalMemory, shadow: EarlyShadow?) {
    self.mode = mode
    self.memory = memory
    self.shadow = shadow
    space = AddressSpace(mode: mode, runs: [])
    scratch = [[]] + mode.levels.map(mode.emptyTable)
  }

  private mutating func note(_ anomaly: Anomaly) {
    if space.anomalies.count < Self.anomaliesKept {
      space.anomalies.append(anomaly)
    } else {
      space.anomaliesLeftOut += 1
    }
  }

  private mutating func append(_ run: Run) {
    Run.append(run, to: &space.runs, mode: mode)
  }

  private mutating func walkTable(
    at address: UInt64, level number: Int, base: UInt64, inherited: UInt64, pointer: UInt64?,
    progress: ((Int) -> Void)?
  ) {
    let level = mode.level(number)
    let size = level.span &* UInt64(level.entries)
    let key = TableKey(address: address, level: number, inherited: inherited)
    if case .some(.some(let runs)) = walked[key] {
      splice(runs, at: base, size: size, level: number)
      return
    }
    let above = number == mode.levels.count ? nil : number + 1
    do {
      try mode.readTable(at: address, from: memory, into: &scratch[number])
    } catch {
      note(
        Anomaly(
          error == .outsideMemory ? .tableOutsideMemory : .tableNotInImage,
          address: mode.canonical(base), size: size, level: above, entry: pointer))
      appendUnreadable(base, size: size, level: number)
      return
    }
    if walked.updateValue(nil, forKey: key) == nil { space.tablesRead += 1 }
    if space.tablesRead & 1023 == 0 { progress?(space.tablesRead) }
    let firstRun = space.runs.count
    let anomaliesBefore = space.anomalies.count
    path.append(address)
    scan(table: address, level: level, base: base, inherited: inherited, progress: progress)
    path.removeLast()
    guard number < mode.levels.count, space.anomalies.count == anomaliesBefore, !stopped,
      space.runs.count - firstRun <= Self.keptRuns
    else { return }
    // Clipped, because the first run may have been merged into the neighbour before the table.
    let start = mode.canonical(base)
    walked[key] = space.runs(from: start, through: start &+ (size &- 1)).map { run in
      var relative = run
      relative.start = run.start &- start
      relative.last = run.last &- start
      return relative
    }
  }

  private mutating func scan(
    table: UInt64, level: PagingMode.Level, base: UInt64, inherited: UInt64,
    progress: ((Int) -> Void)?
  ) {
    let isLeafLevel = level.number == 1
    // Between the two halves of a sign-extended space lies what no entry can map.
    let half =
      level.number == mode.levels.count && mode.addressBits > 32 ? level.entries / 2 : 0
    var index = 0
    while index < level.entries {
      let here = mode.canonical(base &+ UInt64(index) &* level.span)
      if end != 0, here >= end, level.number == mode.levels.count { break }
      let count = index < half ? half : level.entries
      let entry = scratch[level.number][index]
      let start = base &+ UInt64(index) &* level.span
      if entry & mode.present == 0 {
        // Alike entries: holes, or remnants with the same bits outside the frame.
        let something = isLeafLevel ? ~0 : mode.noneMask
        let isHole = entry & something == 0
        let flagMask = ~mode.tableAddress | mode.invertedFrame
        let flags = isHole ? 0 : entry & flagMask
        var next = index + 1
        while next < count {
          let other = scratch[level.number][next]
          guard other & mode.present == 0, (other & something == 0) == isHole,
            isHole || other & flagMask == flags
          else { break }
          next += 1
        }
        append(
          Run(
            start: mode.canonical(start), last: lastAddress(base, next, level),
            kind: isHole ? .hole : .notPresent, level: level.number, flags: flags,
            effective: isHole ? 0 : mode.effective(entry, at: level, below: inherited)))
        index = next
        continue
      }
      if isLeafLevel || (level.mayBeLeaf && entry & mode.large != 0) {
        let flagMask = ~level.leafAddress
        let flags = entry & flagMask
        let reserved = isLeafLevel ? 0 : entry & level.reservedInLeaf
        if reserved != 0 {
          note(
            Anomaly(
              .reservedBits(reserved), address: mode.canonical(start), size: level.span,
              level: level.number, entry: entry))
        }
        let physical = entry & level.leafAddress
        var next = index + 1
        while next < count,
          scratch[level.number][next] == entry &+ UInt64(next - index) &* level.span
        {
          next += 1
        }
        append(
          Run(
            start: mode.canonical(start), last: lastAddress(base, next, level), kind: .leaf,
            level: level.number, flags: flags,
            effective: mode.effective(entry, at: level, below: inherited), physical: physical))
        index = next
        continue
      }
      let reserved = entry & level.reservedInTable
      if reserved != 0 {
        note(
          Anomaly(
            .reservedBits(reserved), address: mode.canonical(start), size: level.span,
            level: level.number, entry: entry))
        appendUnreadable(start, size: level.span, level: level.number)
      } else if let shadow, shadow.tables[level.number - 1] == entry & mode.tableAddress {
        append(
          Run(
            start: mode.canonical(start), last: lastAddress(base, index + 1, level), kind: .leaf,
            level: 1, flags: shadow.entry & ~mode.tableAddress, effective: Run.staleEffective,
            physical: shadow.entry & mode.tableAddress, repeats: true))
      } else if path.contains(entry & mode.tableAddress) {
        note(
          Anomaly(
            .tableCycle, address: mode.canonical(start), size: level.span, level: level.number,
            entry: entry))
        appendUnreadable(start, size: level.span, level: level.number)
      } else if stopped {
        appendUnreadable(start, size: level.span, level: level.number)
      } else {
        space.pointers.append(
          TablePointer(
            address: mode.canonical(start), parent: table, entry: entry, level: level.number))
        walkTable(
          at: entry & mode.tableAddress, level: level.number - 1, base: start,
          inherited: mode.effective(entry, at: level, below: inherited), pointer: entry,
          progress: progress)
      }
      index += 1
    }
  }

  /// The last address of the entries before `next` of the table at `base`.
  private func lastAddress(_ base: UInt64, _ next: Int, _ level: PagingMode.Level) -> UInt64 {
    let last = base &+ UInt64(next) &* level.span &- 1
    return mode.canonical(last)
  }

  private mutating func appendUnreadable(_ base: UInt64, size: UInt64, level: Int) {
    append(
      Run(
        start: mode.canonical(base), last: mode.canonical(base &+ size &- 1), kind: .unreadable,
        level: level))
  }

  private mutating func splice(_ runs: [Run], at base: UInt64, size: UInt64, level: Int) {
    let limit = Self.spliceAllowance + 512 * space.tablesRead
    if stopped || space.runs.count + runs.count > limit {
      if !stopped {
        stopped = true
        note(Anomaly(.walkLimit, address: mode.canonical(base), size: size, level: level))
      }
      appendUnreadable(base, size: size, level: level)
      return
    }
    let start = mode.canonical(base)
    for run in runs {
      var copy = run
      copy.start = run.start &+ start
      copy.last = run.last &+ start
      append(copy)
    }
  }
}

/// One level of the way from a root to an address.
package struct WalkStep: Sendable, Equatable {
  package let level: Int
  /// The physical address of the table.
  package let table: UInt64
  package let index: Int
  package let entry: UInt64
  /// RW, US and NX as they act so far.
  package let effective: UInt64
}

/// Where one address leads.
package struct WalkResult: Sendable, Equatable {
  package enum End: Sendable, Equatable {
    /// Mapped: the physical address, and the bytes of the leaf.
    case leaf(physical: UInt64, size: UInt64)
    case notPresent
    case reservedBits(UInt64)
    case unreadable(UnreadableMemory)
    case notCanonical
  }

  package var steps: [WalkStep]
  package var end: End

  /// The physical address of a mapped address.
  package var physical: UInt64? {
    if case .leaf(let physical, _) = end { physical } else { nil }
  }
}

extension PagingMode {
  /// Walks one address, level by level.
  package func walk(_ address: UInt64, root: UInt64, memory: any PhysicalMemory) -> WalkResult {
    var result = WalkResult(steps: [], end: .notCanonical)
    guard isCanonical(address) else { return result }
    var at = root
    var effective = unrestricted
    for level in levels.reversed() {
      var table = emptyTable(level)
      do {
        try readTable(at: at, from: memory, into: &table)
      } catch {
        result.end = .unreadable(error)
        return result
      }
      let index = Int((address >> UInt64(level.shift)) & UInt64(level.entries - 1))
      let entry = table[index]
      effective = self.effective(entry, at: level, below: effective)
      result.steps.append(
        WalkStep(level: level.number, table: at, index: index, entry: entry, effective: effective))
      guard entry & present != 0 else {
        result.end = .notPresent
        return result
      }
      if level.number == 1 || (level.mayBeLeaf && entry & large != 0) {
        let reserved = level.number == 1 ? 0 : entry & level.reservedInLeaf
        result.end =
          reserved != 0
          ? .reservedBits(reserved)
          : .leaf(
            physical: (entry & level.leafAddress) | (address & (level.span - 1)), size: level.span)
        return result
      }
      guard entry & level.reservedInTable == 0 else {
        result.end = .reservedBits(entry & level.reservedInTable)
        return result
      }
      at = entry & tableAddress
    }
    return result
  }
}

extension PagingMode {
  /// The first leaf between two addresses; nil where there is none, or none within 4096 tables.
  package func firstLeaf(
    from: UInt64, through: UInt64, root: UInt64, memory: any PhysicalMemory
  ) -> (address: UInt64, physical: UInt64)? {
    var tablesLeft = 4096
    func search(_ table: UInt64, _ level: Level, _ base: UInt64)
      -> (address: UInt64, physical: UInt64)?
    {
      var entries = emptyTable(level)
      tablesLeft -= 1
      guard tablesLeft >= 0,
        (try? readTable(at: table, from: memory, into: &entries)) != nil
      else { return nil }
      for (index, entry) in entries.enumerated() where entry & present != 0 {
        let start = canonical(base &+ UInt64(index) &* level.span)
        guard start &+ (level.span &- 1) >= from, start <= through else { continue }
        if level.number == 1 || (level.mayBeLeaf && entry & large != 0) {
          return (address: start, physical: entry & level.leafAddress)
        }
        if let found = search(entry & tableAddress, self.level(level.number - 1), start) {
          return found
        }
      }
      return nil
    }
    return search(root, self.root, 0)
  }
}
