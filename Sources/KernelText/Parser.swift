package import PageTables

extension KernelText {
  /// Whether `bytes` look like a text dump: no binary, and a mapping line in it.
  package static func matches(_ bytes: Span<UInt8>) -> Bool {
    for index in 0..<min(bytes.count, 4096) where bytes[index] == 0 { return false }
    var scanner = LineScanner()
    var columns = ColumnMemory()
    while let range = scanner.next(in: bytes) {
      if Mapping(bytes, range, &columns) != nil { return true }
    }
    return false
  }

  /// Reads both column widths, every marker name, `(null)`, printk stamps and mail quotes.
  ///
  /// - Parameter mode: overrides the mode that the text itself tells.
  package static func parse(_ bytes: Span<UInt8>, mode forced: TableFormat? = nil) -> KernelText {
    var parser = Parser(bytes: bytes.count)
    var scanner = LineScanner()
    var columns = ColumnMemory()
    while true {
      if let (mapping, end) = Mapping.alike(bytes, at: scanner.position, columns) {
        scanner.position = end
        parser.lineNumber += 1
        parser.take(mapping)
        continue
      }
      guard let range = scanner.next(in: bytes) else { break }
      parser.lineNumber += 1
      if let mapping = Mapping(bytes, range, &columns) {
        parser.take(mapping)
      } else if let line = Line(bytes, range) {
        parser.take(line)
      }
    }
    return parser.finish(forced)
  }

  /// A line of a dump that is no mapping.
  enum Line: Equatable {
    case marker(String)
    case skipped(Int)
    case elision
    /// Starts as a mapping and does not go on as one.
    case broken
  }

  /// A line of a mapping or a hole.
  struct Mapping: Equatable {
    var start: UInt64
    var end: UInt64
    /// The digits of an address: 8 or 16.
    var digits: Int
    var isNull = false
    /// Nil for a size that 64 bits cannot hold.
    var size: UInt64?
    var columns: Columns
  }

  /// What stands behind the size of a line.
  struct Columns: Equatable {
    var flags: UInt64 = 0
    /// 1 for `pte` to 5 for `pgd`, before the mode is known.
    var level = 1
    var isBlank = true
    var hasLowerPAT = false
    /// The bytes of the columns.
    var width = 0
  }

  private struct Parser {
    var lineNumber = 0
    var runs: [Run] = []
    var lines: [Int] = []
    var markers: [Marker] = []
    var skips: [Skip] = []
    var anomalies: [Anomaly] = []
    var elided = false
    var elidedHere = false
    var fiveLevel = false
    var is32Bit = false
    var isNarrow = false
    var hasLowerPAT = false
    var hasNull = false
    /// A line that only PAE can bring forth, and one that only two levels can.
    var showsPAE = false
    var anomaliesLeftOut = 0
    private let inherited = TableFormat.x86_64.inherited

    init(bytes: Int) {
      // A line of a mapping has some 90 bytes.
      runs.reserveCapacity(bytes / 80)
      lines.reserveCapacity(bytes / 80)
    }

    mutating func note(_ anomaly: Anomaly) {
      if anomalies.count < 1000 { anomalies.append(anomaly) } else { anomaliesLeftOut += 1 }
    }

    mutating func take(_ line: Line) {
      switch line {
      case .marker(let name):
        markers.append(Marker(name: name, run: runs.count, line: lineNumber))
      case .skipped(let count):
        skips.append(Skip(count: count, run: runs.count))
        elidedHere = true
      case .elision:
        elided = true
        elidedHere = true
      case .broken:
        note(Anomaly(.unreadableLine, address: runs.last?.end ?? 0, line: lineNumber))
        elidedHere = true
      }
    }

    mutating func take(_ mapping: Mapping) {
      let start = mapping.start
      // The end of a 32-bit space prints as zero, too.
      let is32 = mapping.digits == 8
      let end = is32 && mapping.end == 0 ? 1 << 32 : mapping.end
      if let size = mapping.size, size != end &- start {
        note(
          Anomaly(
            .sizeMismatch(printed: size), address: start, size: end &- start, line: lineNumber))
      }
      guard end == 0 || start < end else {
        note(Anomaly(.gap, address: start, line: lineNumber))
        return
      }
      if let previous = runs.last {
        if start <= previous.last {
          note(Anomaly(.gap, address: start, size: previous.end &- start, line: lineNumber))
          return
        }
        // The non-canonical gap and the guard hole are skipped by the dumper itself.
        let hole = previous.end
        let dumperSkips = hole <= 0x0100_0000_0000_0000 && start >= 0xff00_0000_0000_0000
        if start != hole, !elidedHere, !dumperSkips {
          note(Anomaly(.gap, address: hole, size: start &- hole, line: lineNumber))
        }
      }
      elidedHere = false
      if is32 { is32Bit = true }
      let columns = mapping.columns
      if columns.level == 4 { fiveLevel = true }
      if columns.width == Dialect.narrow { isNarrow = true }
      if columns.hasLowerPAT { hasLowerPAT = true }
      if mapping.isNull { hasNull = true }
      let fourMegabytes: UInt64 = 4 << 20
      if columns.flags >> 63 != 0
        || (columns.level == 2 && (columns.isBlank || (start | end) % fourMegabytes != 0))
      {
        showsPAE = true
      }
      runs.append(
        Run(
          start: start, last: end &- 1, kind: columns.isBlank ? .hole : .leaf,
          level: columns.level, flags: columns.flags,
          effective: columns.flags & inherited))
      lines.append(lineNumber)
    }

    mutating func finish(_ forced: TableFormat?) -> KernelText {
      let mode =
        forced
        ?? (is32Bit
          ? (showsPAE ? .i386PAE : .i386) : fiveLevel ? .x86_64FiveLevel : .x86_64)
      let isFolded = mode.levels.map { $0.name != $0.holeName }
      for index in runs.indices {
        let level = Int(runs[index].level)
        // Two levels name a hole by the root: a blank line that says pmd is an entry.
        if case .hole = runs[index].kind, level < 5, level <= isFolded.count, isFolded[level - 1] {
          runs[index].kind = .notPresent
        }
        // `pgd` stands for the root, and for the levels folded into it.
        if level == 5 || level > mode.levels.count {
          runs[index].level = UInt8(truncatingIfNeeded: mode.levels.count)
        }
      }
      if let first = runs.first, first.start != 0 {
        note(Anomaly(.truncated, address: 0, size: first.start, line: lines.first))
      }
      if let last = runs.last, last.last != mode.top {
        note(Anomaly(.truncated, address: last.end, size: mode.top &- last.last, line: lineNumber))
      } else if elided {
        note(Anomaly(.truncated, address: 0, line: lineNumber))
      }
      var space = AddressSpace(
        mode: mode, runs: runs, knownFlags: KernelText.shownFlags(mode), hasPhysical: false,
        anomalies: anomalies)
      space.anomaliesLeftOut = anomaliesLeftOut
      return KernelText(
        space: space, markers: markers, skips: skips,
        dialect: Dialect(isNarrow: isNarrow, hasLowerPAT: hasLowerPAT, hasNull: hasNull),
        lines: lines, elided: elided)
    }
  }

  /// The bits that a line tells: those of its columns, and that an entry is present.
  static func shownFlags(_ mode: TableFormat) -> UInt64 {
    mode.attributes.filter(\.printed).reduce(mode.present) { $0 | $1.mask } & ~(1 << 12)
  }
}
