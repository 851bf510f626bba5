package import PageTables

extension KernelText {
  /// What the kernel's own dumper shows of an address space that was read from memory.
  ///
  /// Lines end where something changes that the kernel looks at, printed or not, and hide what it
  /// does not look at. Source: `note_page`, arch/x86/mm/dump_pagetables.c, and mm/ptdump.c, 6.12.
  ///
  /// - Parameter markers: in the order of addresses; the first one's name begins the dump.
  package init(showing space: AddressSpace, markers: [AddressMarker], dialect: Dialect) {
    var dumper = Dumper(mode: space.mode, markers: markers, dialect: dialect)
    for run in space.runs { dumper.take(run) }
    dumper.finish()
    var shown = AddressSpace(
      mode: space.mode, runs: dumper.lines, knownFlags: Self.shownFlags(space.mode),
      hasPhysical: false, anomalies: space.anomalies)
    shown.anomaliesLeftOut = space.anomaliesLeftOut
    self.init(
      space: shown, markers: dumper.marks, skips: dumper.skips, dialect: dialect, lines: [],
      elided: false)
  }

  /// The state that the kernel's dumper keeps from entry to entry.
  private struct Dumper {
    let mode: TableFormat
    let markers: [AddressMarker]
    let dialect: Dialect
    var lines: [Run] = []
    var marks: [Marker] = []
    var skips: [Skip] = []
    private var current: Note?
    private var marker = 0
    private var linesSinceMarker = 0
    /// The effective flags of the last entry at the pte level, which KASAN's shortcut reuses.
    private var staleEffective: UInt64 = 0

    /// What the dumper compares: attributes, effective flags and level of one entry.
    private struct Note {
      var start: UInt64
      var kind: Run.Kind
      var level: UInt8
      var flags: UInt64
      var effective: UInt64

      func isLike(_ other: Note) -> Bool {
        flags == other.flags && effective == other.effective && level == other.level
          && (kind == .hole) == (other.kind == .hole)
      }
    }

    init(mode: TableFormat, markers: [AddressMarker], dialect: Dialect) {
      self.mode = mode
      self.markers = markers
      self.dialect = dialect
    }

    mutating func take(_ run: Run) {
      var run = run
      if run.kind == .unreadable { return }
      if mode.addressBits > 32 {
        let guardHoleEnd = mode.upperHalf &+ 16 * mode.root.span
        if dialect.isGenericWalk {
          if run.last >= mode.upperHalf, run.start < guardHoleEnd {
            guard run.last >= guardHoleEnd else { return }
            run.start = guardHoleEnd
          }
        } else if run.start >= mode.upperHalf, run.last < guardHoleEnd {
          run.kind = .hole
          run.flags = 0
        }
      }
      if run.kind == .notPresent, run.level > 1, run.flags & mode.large == 0,
        dialect.isGenericWalk
      {
        // Neither a hole nor a leaf nor a table: the walk passes over it without a word.
        return
      }
      let span = mode.span(of: run)
      var note = Note(
        start: run.start, kind: run.kind, level: run.level, flags: run.flags & compared,
        effective: 0)
      if dialect.breaksOnEffective, run.kind != .hole {
        note.effective =
          run.isStale
          ? staleEffective : run.effective & mode.dumpedEffective
      }
      if run.level == 1 { staleEffective = note.effective }
      self.note(note)
      // A run is many entries: each at or behind the next marker takes the dump one marker on.
      while let next = nextMarker, next <= run.last {
        let entry = max(note.start &+ span, (next &+ (span - 1)) & ~(span - 1))
        guard entry > note.start, entry <= run.last else { break }
        note.start = entry
        self.note(note)
      }
    }

    mutating func finish() {
      guard let ended = current else { return }
      flush(ended, through: mode.top)
    }

    /// The bits of an entry that the dumper compares.
    private var compared: UInt64 {
      dialect.showsLargePAT ? ~mode.tableAddress | 1 << 12 : ~mode.tableAddress
    }

    private var nextMarker: UInt64? {
      marker + 1 < markers.count ? markers[marker + 1].start : nil
    }

    private mutating func note(_ note: Note) {
      guard let before = current else {
        if let first = markers.first {
          marks.append(Marker(name: first.name, run: 0, line: nil))
        }
        current = note
        current?.start = 0
        return
      }
      let isMarked = nextMarker.map { note.start >= $0 } ?? false
      guard isMarked || !note.isLike(before) else { return }
      flush(before, through: note.start &- 1)
      if isMarked {
        let limit = markers[marker].maxLines
        if limit > 0, linesSinceMarker > limit {
          skips.append(Skip(count: linesSinceMarker - limit, run: lines.count))
        }
        marker += 1
        linesSinceMarker = 0
        marks.append(Marker(name: markers[marker].name, run: lines.count, line: nil))
      }
      current = note
    }

    private mutating func flush(_ note: Note, through last: UInt64) {
      let limit = marker < markers.count ? markers[marker].maxLines : 0
      if limit == 0 || linesSinceMarker < limit {
        lines.append(
          Run(
            start: note.start, last: last, kind: note.kind, level: Int(note.level),
            flags: note.flags, effective: note.flags & mode.inherited))
      }
      linesSinceMarker += 1
    }
  }
}
