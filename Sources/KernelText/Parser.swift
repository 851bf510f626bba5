package import PageTables

extension KernelText {
  /// Whether `bytes` look like a text dump: no binary, and a mapping line in it.
  package static func matches(_ bytes: Span<UInt8>) -> Bool {
    for index in 0..<min(bytes.count, 4096) where bytes[index] == 0 { return false }
    return grammar(of: bytes) != nil
  }

  /// That of the first line that is a mapping's; nil where none is.
  private static func grammar(of bytes: Span<UInt8>) -> Grammar? {
    var scanner = LineScanner()
    var memories = Grammar.all.map { ColumnMemory($0) }
    while let range = scanner.next(with: Mapping.marks, in: bytes) {
      for index in memories.indices where Mapping(bytes, range, &memories[index]) != nil {
        return memories[index].grammar
      }
    }
    return nil
  }

  /// Reads both column widths, every marker name, `(null)`, printk stamps and mail quotes.
  ///
  /// - Parameters:
  ///   - mode: overrides the mode that the text itself tells.
  ///   - grammar: the architecture's; that of the first mapping where it is not said.
  package static func parse(
    _ bytes: Span<UInt8>, mode forced: TableFormat? = nil, grammar: Grammar? = nil
  ) -> KernelText {
    let grammar = grammar ?? Self.grammar(of: bytes) ?? .x86
    var parser = Parser(bytes: bytes.count, grammar)
    var scanner = LineScanner()
    var columns = ColumnMemory(grammar)
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
      } else if !range.isEmpty {
        parser.otherLines += 1
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
    /// Whether no `0x` stands before the addresses.
    var isBare = false
    /// Nil for a size that 64 bits cannot hold.
    var size: UInt64?
    var columns: Columns
  }

  /// What stands behind the size of a line.
  struct Columns: Equatable {
    var flags: UInt64 = 0
    var access: Access = []
    /// The place of its name in the grammar's, from 1, before the mode is known.
    var level = 1
    var isBlank = true
    var hasOlderWord = false
    /// The bytes of the columns.
    var width = 0
  }

  private struct Parser {
    var lineNumber = 0
    var runs: [Run] = []
    var lines: [UInt32] = []
    var otherLines = 0
    var markers: [Marker] = []
    var skips: [Skip] = []
    var anomalies: [Anomaly] = []
    var elided = false
    var elidedHere = false
    var anomaliesLeftOut = 0
    private var evidence = Evidence()
    /// What holes would fill, as long as no line shows that the dialect prints them.
    private var gaps: [Anomaly] = []
    private var halfIsNext = false
    private let grammar: Grammar
    private let gap: (from: UInt64, to: UInt64)

    init(bytes: Int, _ grammar: Grammar) {
      self.grammar = grammar
      gap = grammar.gap
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
        if evidence.halfStart == nil, name == grammar.halfMarker { halfIsNext = true }
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
        let dumperSkips = hole <= gap.from && start >= gap.to
        if start != hole, !elidedHere, !dumperSkips {
          gaps.append(Anomaly(.gap, address: hole, size: start &- hole, line: lineNumber))
          if !grammar.mayLackHoles { noteGaps() }
        }
      }
      elidedHere = false
      evidence.take(mapping)
      if halfIsNext {
        evidence.halfStart = start
        halfIsNext = false
      }
      let columns = mapping.columns
      runs.append(
        Run(
          start: start, last: end &- 1,
          kind: columns.isBlank
            ? .hole : grammar.valid.matches(columns.flags) ? .leaf : .notPresent,
          level: columns.level, flags: columns.flags, access: columns.access))
      lines.append(UInt32(clamping: lineNumber))
    }

    /// Notes what the text leaves out, where its dialect prints holes.
    private mutating func noteGaps() {
      for gap in gaps { note(gap) }
      gaps = []
    }

    mutating func finish(_ forced: TableFormat?) -> KernelText {
      let mode = forced ?? grammar.mode(evidence)
      let printsHoles = !grammar.mayLackHoles || evidence.holeLevels != 0
      if printsHoles { noteGaps() }
      fitEnds(mode)
      let root = grammar.levelNames.count
      let isFolded = mode.levels.map { $0.name != $0.holeName }
      for index in runs.indices {
        let level = Int(runs[index].level)
        // Two levels name a hole by the root: a blank line that says pmd is an entry.
        if case .hole = runs[index].kind, level < root, level <= isFolded.count, isFolded[level - 1]
        {
          runs[index].kind = .notPresent
        }
        // The last name stands for the root, and for the levels folded into it.
        if level == root || level > mode.levels.count {
          runs[index].level = UInt8(truncatingIfNeeded: mode.levels.count)
        }
      }
      if let first = runs.first, first.start != mode.bottom, printsHoles {
        note(
          Anomaly(
            .truncated, address: mode.bottom, size: first.start &- mode.bottom,
            line: lines.first.map(Int.init)))
      }
      if let last = runs.last, last.last != mode.top, printsHoles {
        note(Anomaly(.truncated, address: last.end, size: mode.top &- last.last, line: lineNumber))
      } else if elided || !printsHoles && !grammar.isWhole(markers) {
        note(Anomaly(.truncated, address: 0, line: lineNumber))
      }
      var space = AddressSpace(
        mode: mode, runs: runs, knownFlags: grammar.shown(mode), hasPhysical: false,
        anomalies: anomalies)
      space.anomaliesLeftOut = anomaliesLeftOut
      return KernelText(
        space: space, markers: markers, skips: skips,
        dialect: grammar.dialect(evidence),
        lines: lines, otherLines: otherLines, elided: elided)
    }

    /// Leaves out what some dialects print before and after all that tables can map.
    private mutating func fitEnds(_ mode: TableFormat) {
      guard grammar.mayLackHoles else { return }
      if let first = runs.first, first.kind == .hole, first.last &+ 1 == mode.bottom {
        runs.removeFirst()
        lines.removeFirst()
        for index in markers.indices where markers[index].run > 0 {
          markers[index] = Marker(
            name: markers[index].name, run: markers[index].run - 1, line: markers[index].line)
        }
      }
      if let last = runs.last, last.last > mode.top, last.start <= mode.top {
        runs[runs.count - 1].last = mode.top
      }
    }
  }
}
