package import PageTables

/// The readings that one entry has where its level or its mode is not known.
package struct EntryCandidates: Sendable, Equatable {
  /// One reading, and the levels at which the entry reads alike.
  package struct Candidate: Sendable, Equatable {
    package let reading: EntryReading
    /// The names of the levels, from the leaves up.
    package fileprivate(set) var levels: [String]
    fileprivate let likelihood: Int
  }

  package let entry: UInt64
  /// The likeliest first.
  package let candidates: [Candidate]

  /// Reads an entry in every way that makes sense.
  ///
  /// - Parameters:
  ///   - mode: the mode, where it is known; 64-bit and 32-bit x86 otherwise.
  ///   - level: the level's number, where it is known.
  package init(
    _ entry: UInt64, mode: TableFormat? = nil, level: Int? = nil,
    context: EntryReading.Context = EntryReading.Context()
  ) {
    self.entry = entry
    var found: [Candidate] = []
    for (penalty, mode) in Self.modes(entry, mode).enumerated() {
      let numbers = level.map { [$0] } ?? mode.levels.map(\.number)
      for number in numbers where number <= mode.levels.count {
        let reading = EntryReading(entry, level: number, mode: mode, context: context)
        if let same = found.firstIndex(where: { $0.reading.isSame(as: reading) }) {
          if found[same].reading.mode.name == mode.name {
            found[same].levels.append(reading.levelName)
          }
        } else {
          found.append(
            Candidate(
              reading: reading, levels: [reading.levelName],
              likelihood: reading.likelihood - 5 * penalty))
        }
      }
    }
    let most = found.map(\.likelihood).max() ?? 0
    // What is hardly possible is worth a line only where nothing better is there.
    candidates = found.filter { $0.likelihood >= min(most, 15) }.enumerated().sorted {
      ($1.element.likelihood, $0.offset) < ($0.element.likelihood, $1.offset)
    }.map(\.element)
  }

  private static func modes(_ entry: UInt64, _ mode: TableFormat?) -> [TableFormat] {
    if let mode { return [mode] }
    return entry <= UInt64(UInt32.max) ? [.x86_64, .i386] : [.x86_64]
  }
}

extension EntryReading {
  /// Whether it says the same of the entry, whatever the level.
  fileprivate func isSame(as other: EntryReading) -> Bool {
    sentence == other.sentence && flags == other.flags && notes == other.notes
  }

  /// How well the entry fits its level, 0 to 100.
  fileprivate var likelihood: Int {
    switch kind {
    case .empty, .poison, .text, .allOnes: 100
    case .leaf: mode.isArm64 ? arm64LeafLikelihood : leafLikelihood
    case .table: mode.isArm64 ? arm64TableLikelihood : tableLikelihood
    case .protNone, .unmapped, .swap, .migration, .poisonedMemory, .marker, .device:
      level == 1 ? 60 : 20
    case .invalidated: 50
    case .nonlinear, .address: 40
    case .unreachableFrame: level == 1 ? 10 : 8
    case .reservedBits: 5
    case .unknown: 1
    }
  }
}
