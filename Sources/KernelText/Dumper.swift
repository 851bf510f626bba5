package import PageTables

extension KernelText {
  /// What the kernel's own dumper shows of an address space that was read from memory.
  ///
  /// Lines end where something changes that the kernel looks at, printed or not, and hide what it
  /// does not look at. Source: `note_page`, arch/x86/mm/dump_pagetables.c, and mm/ptdump.c, 6.12.
  ///
  /// - Parameters:
  ///   - markers: in the order of addresses; the first one's name begins the dump.
  ///   - grammar: the dialect's.
  package init(
    showing space: AddressSpace, markers: [AddressMarker], dialect: Dialect,
    grammar: Grammar? = nil
  ) {
    let grammar = grammar ?? .of(space.mode)
    var dumper = Dumper(mode: space.mode, markers: markers, dialect: dialect)
    for run in space.runs { dumper.take(run) }
    dumper.finish()
    var shown = AddressSpace(
      mode: space.mode, runs: dumper.lines, knownFlags: grammar.shown(space.mode),
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
    /// The access of the last entry at the lowest level, which KASAN's shortcut reuses.
    private var lastAccess: Access = []

    /// What the dumper compares: attributes, access and level of one entry.
    private struct Note {
      var start: UInt64
      var kind: Run.Kind
      var level: UInt8
      var flags: UInt64
      var access: Access

      /// - Parameter byKind: whether a hole differs from an entry of which nothing is compared.
      func isLike(_ other: Note, byKind: Bool) -> Bool {
        flags == other.flags && access == other.access && level == other.level
          && (!byKind || (kind == .hole) == (other.kind == .hole))
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
      if let skipped = dialect.skipped(mode) {
        if !dialect.passesOverSkipped {
          if run.start >= skipped.first, run.last < skipped.end {
            run.kind = .hole
            run.flags = 0
          }
        } else if run.last >= skipped.first, run.start < skipped.end {
          guard run.last >= skipped.end else { return }
          run.start = skipped.end
        }
      }
      if run.kind == .notPresent, run.level > 1, dialect.printsInvalid?.matches(run.flags) == false
      {
        // Neither a hole nor a leaf nor a table: the walk passes over it without a word.
        return
      }
      let span = mode.span(of: run)
      var note = Note(
        start: run.start, kind: run.kind, level: run.level, flags: run.flags & compared,
        access: [])
      if dialect.breaksOnEffective, run.kind != .hole {
        note.access =
          run.isStale ? lastAccess : run.access.intersection(mode.dumpedAccess)
      }
      if run.level == 1 { lastAccess = note.access }
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
      flush(ended, through: dialect.endsAtZero ? ~0 : mode.top)
    }

    /// The bits of an entry that the dumper compares.
    private var compared: UInt64 {
      dialect.compared ?? ~mode.tableField.mask | dialect.alsoCompared
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
        current?.start = mode.bottom
        markAgain(at: note.start)
        return
      }
      let isMarked = nextMarker.map { note.start >= $0 } ?? false
      guard isMarked || !note.isLike(before, byKind: dialect.compared == nil) else { return }
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
      markAgain(at: note.start)
    }

    /// A second marker of one place, in dialects that look again.
    private mutating func markAgain(at address: UInt64) {
      guard dialect.marksTwice, let next = nextMarker, address >= next else { return }
      marker += 1
      linesSinceMarker = 0
      marks.append(Marker(name: markers[marker].name, run: lines.count, line: nil))
    }

    private mutating func flush(_ note: Note, through last: UInt64) {
      guard dialect.printsHoles || note.flags != 0 else { return }
      let limit = marker < markers.count ? markers[marker].maxLines : 0
      if limit == 0 || linesSinceMarker < limit {
        lines.append(
          Run(
            start: note.start, last: last, kind: note.kind, level: Int(note.level),
            flags: note.flags,
            access: note.kind == .hole
              ? [] : mode.level(Int(note.level)).leafRights.access(note.flags)))
      }
      linesSinceMarker += 1
    }
  }
}
