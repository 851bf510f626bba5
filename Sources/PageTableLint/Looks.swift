internal import PageTables
internal import Synchronization

/// Remembers whether one rule's check looked at anything that it could judge, and stops one that has
/// to look at more than the tables warrant.
///
/// A check that looked at nothing has not run: its silence says nothing, and reports list it as
/// skipped. Needs say why before the check; this holds where none does.
final class Looks: Sendable {
  private let seen = Atomic<Bool>(false)
  /// The steps that are left.
  private let left: Atomic<Int>

  /// What a piece of a finding costs, in steps: it stays in memory.
  static let piece = 16

  /// Steps beyond those that the runs and pointers of the tables warrant.
  private static let beside = 1 << 22

  /// - Parameter steps: those that the check may take.
  init(steps: Int) { left = Atomic(steps) }

  /// The steps that each check may take: a few have to count theirs.
  ///
  /// - Parameter subject: each of its runs and pointers warrants some.
  static func share(of subject: Subject) -> Int {
    subject.tables.reduce(beside) { $0 + 16 * ($1.space.runs.count + $1.space.pointers.count) }
  }

  /// Whether the check looked at anything.
  var any: Bool { seen.load(ordering: .relaxed) }
  /// Whether the check was stopped.
  var isStopped: Bool { left.load(ordering: .relaxed) < 0 }

  func note() { seen.store(true, ordering: .relaxed) }

  /// Forgets what was looked at to find out whether the check can run.
  func begin() { seen.store(false, ordering: .relaxed) }

  /// Takes steps; false where the check has to stop.
  func take(_ steps: Int) -> Bool {
    left.subtract(steps, ordering: .relaxed).newValue >= 0
  }
}

/// What rules read of a table.
extension Table {
  var runs: [Run] {
    looks?.note()
    return space.runs
  }

  /// Those of the kernel's half whose entries are not present: of millions of runs few, if any.
  var notPresent: [Run] {
    let (runs, half) = (runs, space.mode.upperHalf)
    return runs.indices.filter { runs[$0].kind == .notPresent && runs[$0].start >= half }.map {
      runs[$0]
    }
  }

  var pointers: TablePointers {
    looks?.note()
    return space.pointers
  }

  var anomalies: [Anomaly] {
    looks?.note()
    return space.anomalies
  }

  /// The runs inside `[from, through]`, clipped to it.
  func runs(from: UInt64, through: UInt64) -> ClippedRuns {
    looks?.note()
    return space.runs(from: from, through: through)
  }

  /// The runs of the areas of a kind; none, and no look, where the layout has no such area.
  func runs(_ kind: Area.Kind) -> FlattenSequence<[ArraySlice<Run>]> {
    stretches(kind).flatMap(\.pieces).joined()
  }

  /// The same, side by side as far as no other area lies between.
  func stretches(_ kind: Area.Kind) -> [ClippedRuns] {
    if layout.first(kind) != nil { looks?.note() }
    return layout.stretches(kind, in: space)
  }

  /// The runs of the kernel's half outside the direct map, where each has a frame for a reason.
  var runsOutsideDirectMap: FlattenSequence<[ArraySlice<Run>]> {
    looks?.note()
    return layout.kernelRuns(outside: .directMap, in: space)
  }

  func run(at address: UInt64) -> Run? {
    looks?.note()
    return space.run(at: address)
  }
}

extension Subject {
  /// Whether a check may take some steps more, where it looks at one thing for each of many others;
  /// where not, it stops with what it has.
  func mayLook(_ steps: Int) -> Bool { looks?.take(steps) ?? true }

  /// What a check judges that stands in no table: a fact, the log, the configuration.
  func looking<Value>(at value: Value) -> Value {
    looks?.note()
    return value
  }
}
