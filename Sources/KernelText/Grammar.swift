package import PageTables

extension KernelText {
  /// A column of a line: what it says of an entry, and what it says where that does not hold.
  package struct Column: Sendable, Equatable {
    /// One meaning of the column.
    package struct Reading: Sendable, Equatable {
      /// The levels (by number) at which the column means this.
      package let levels: ClosedRange<Int>
      package let test: BitTest
      package let text: String

      package init(_ test: BitTest, _ text: String, levels: ClosedRange<Int> = 1...7) {
        self.levels = levels
        self.test = test
        self.text = text
      }
    }

    package let readings: [Reading]
    /// As wide as the column; empty for one that is left out where it says nothing.
    package let clear: String

    package init(_ readings: Reading..., clear: String = "   ") {
      self.init(readings, clear: clear)
    }

    init(_ readings: [Reading], clear: String) {
      self.readings = readings
      self.clear = clear
    }

    /// An attribute's column.
    package init(_ attribute: Attribute) {
      self.init(
        Reading(attribute.test, attribute.set, levels: attribute.levels), clear: attribute.clear)
    }

    /// What the column says of an entry.
    func text(_ flags: UInt64, level: Int) -> String {
      readings.first { $0.levels.contains(level) && $0.test.matches(flags) }?.text ?? clear
    }
  }

  /// What all dialects of one architecture can say: the text is read by the columns that print it.
  package struct Grammar: Sendable {
    /// A word, and the bits that it tells at some levels.
    private struct Meaning {
      let levels: ClosedRange<Int>
      let mask: UInt64
      let value: UInt64
    }

    /// The names of the levels, the lowest first; the last is the root's, whatever its number.
    package let levelNames: [String]
    /// The bits of every entry whose columns are not blank.
    let implied: UInt64
    /// Whether an entry counts to the processor, by what its columns tell.
    let valid: BitTest
    /// Bits that columns tell of, but that most dialects do not print at each level.
    let unsure: UInt64
    /// Words that only older dialects write.
    let olderWords: Set<String>
    /// What the dumper skips without a word, if it is no less: from at most the one to at least the
    /// other.
    let gap: (from: UInt64, to: UInt64)
    /// The format by which columns are understood before the mode is known.
    let format: TableFormat
    /// The marker whose first line starts the kernel's half, where formats differ in it.
    let halfMarker: String?
    /// Whether lines have the level's name, in capitals, before the columns.
    let namesLevelFirst: Bool
    /// Whether old dialects print nothing where nothing is mapped, and no `0x`.
    let mayLackHoles: Bool
    /// Markers of which one set stands in each whole dump: what shows that one without holes is.
    let wholeMarkers: [[String]]
    let mode: @Sendable (Evidence) -> TableFormat
    let dialect: @Sendable (Evidence) -> Dialect
    private let words: [String: [Meaning]]
    /// For each level, the bits of an entry of which no word is said.
    private let silent: [UInt64]

    init(
      format: TableFormat, levelNames: [String], columns: [Column], implied: UInt64,
      valid: BitTest = .always, unsure: UInt64 = 0, olderWords: Set<String> = [],
      gap: (from: UInt64, to: UInt64), halfMarker: String? = nil, namesLevelFirst: Bool = false,
      mayLackHoles: Bool = false, wholeMarkers: [[String]] = [],
      mode: @escaping @Sendable (Evidence) -> TableFormat,
      dialect: @escaping @Sendable (Evidence) -> Dialect
    ) {
      self.format = format
      self.levelNames = levelNames
      self.implied = implied
      self.valid = valid
      self.unsure = unsure
      self.olderWords = olderWords
      self.gap = gap
      self.halfMarker = halfMarker
      self.namesLevelFirst = namesLevelFirst
      self.mayLackHoles = mayLackHoles
      self.wholeMarkers = wholeMarkers
      self.mode = mode
      self.dialect = dialect
      var words: [String: [Meaning]] = [:]
      var silent = [UInt64](repeating: 0, count: levelNames.count + 1)
      func add(_ text: String, _ reading: Column.Reading, _ value: UInt64) {
        words[String(text.filter { $0 != " " }), default: []].append(
          Meaning(levels: reading.levels, mask: reading.test.mask, value: value))
      }
      for column in columns {
        for reading in column.readings {
          let opposite = reading.test.value ^ reading.test.mask
          add(reading.text, reading, reading.test.value)
          add(column.clear, reading, opposite)
          // A column may be blank where the bits are set.
          let unsaid = reading.text.allSatisfy { $0 == " " } ? reading.test.value : opposite
          for level in silent.indices where reading.levels.contains(level) {
            silent[level] |= unsaid
          }
        }
      }
      words[""] = nil
      self.words = words
      self.silent = silent
    }

    /// The grammar of a format whose dumps all look alike.
    ///
    /// - Parameter implied: the bits of every entry that is printed.
    package init(format: TableFormat, dialect: Dialect, implied: UInt64) {
      let halves = format.halves
      self.init(
        format: format, levelNames: format.levels.map(\.name), columns: dialect.columns,
        implied: implied,
        gap: (halves[0].last &+ 1, halves.count > 1 ? halves[halves.count - 1].first : ~0),
        mode: { _ in format }, dialect: { _ in dialect })
    }

    /// Whether markers show that nothing is missing at the ends.
    func isWhole(_ markers: [Marker]) -> Bool {
      let names = Set(markers.map { $0.name.lowercased() })
      return wholeMarkers.contains { $0.allSatisfy(names.contains) }
    }

    func isWord(_ text: String) -> Bool { words[text] != nil }

    /// The bits that words tell of an entry of a level.
    func flags(_ said: [String], level: Int) -> UInt64 {
      var flags = silent[min(level, silent.count - 1)]
      for word in said {
        guard let meanings = words[word],
          let meaning = meanings.first(where: { $0.levels.contains(level) }) ?? meanings.first
        else { continue }
        flags = flags & ~meaning.mask | meaning.value
      }
      return flags | implied
    }

    /// What an entry with such flags allows.
    func access(_ flags: UInt64, level: Int) -> Access {
      format.level(min(level, format.levels.count)).leafRights.access(flags)
    }

    /// The bits that lines of a mode tell.
    func shown(_ mode: TableFormat) -> UInt64 {
      mode.attributes.filter(\.printed).reduce(implied) { $0 | $1.mask } & ~unsure
    }
  }

  /// What the lines of a text show together, by which its mode and dialect are known.
  struct Evidence {
    var is32Bit = false
    var hasNull = false
    var hasOlderWord = false
    /// Where the line after the grammar's `halfMarker` starts.
    var halfStart: UInt64?
    /// How wide lines' columns are, in bytes, a bit for each width.
    var widths: UInt64 = 0
    /// All bits that any line tells.
    var flags: UInt64 = 0
    /// The levels that lines name, a bit each, and those that holes name.
    var levels: UInt8 = 0
    var holeLevels: UInt8 = 0
    /// The bits of the addresses at which lines of the second level start and end, and those of
    /// the lowest.
    var edges: UInt64 = 0
    var lowestEdges: UInt64 = 0
    /// The lowest address of the upper half that a line starts at, and whether lines below it map
    /// something.
    var firstUpper: UInt64?
    var mapsLower = false
    /// The highest address of the lower half at which a line ends.
    var lastLower: UInt64 = 0
    var isBare = false

    @inline(__always) mutating func take(_ mapping: Mapping) {
      let columns = mapping.columns
      let level: UInt8 = 1 << UInt8(truncatingIfNeeded: columns.level & 7)
      flags |= columns.flags
      levels |= level
      if columns.isBlank { holeLevels |= level }
      if columns.level == 2 { edges |= mapping.start | mapping.end }
      if columns.level == 1 { lowestEdges |= mapping.start | mapping.end }
      if mapping.start >> 63 == 0 {
        if !columns.isBlank { mapsLower = true }
        if mapping.end >> 63 == 0 { lastLower = max(lastLower, mapping.end) }
      } else if firstUpper == nil {
        firstUpper = mapping.start
      }
      if mapping.isBare { isBare = true }
      widths |= 1 << UInt64(truncatingIfNeeded: min(columns.width, 63))
      if columns.hasOlderWord { hasOlderWord = true }
      if mapping.isNull { hasNull = true }
      if mapping.digits == 8 { is32Bit = true }
    }
  }
}
