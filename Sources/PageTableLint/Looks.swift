internal import PageTables
internal import Synchronization

/// Remembers whether a check looked at anything that it could judge.
///
/// A check that looked at nothing has not run: its silence says nothing, and reports list it as
/// skipped. Needs say why before the check; this holds where none does.
final class Looks: Sendable {
  private let seen = Atomic<Bool>(false)

  var any: Bool { seen.load(ordering: .relaxed) }
  func note() { seen.store(true, ordering: .relaxed) }
  func forget() { seen.store(false, ordering: .relaxed) }
}

/// What rules read of a table.
extension Table {
  var runs: [Run] {
    looks?.note()
    return space.runs
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
  func runs(_ kind: Area.Kind) -> FlattenSequence<[ClippedRuns]> {
    if layout.first(kind) != nil { looks?.note() }
    return layout.runs(kind, in: space)
  }

  func run(at address: UInt64) -> Run? {
    looks?.note()
    return space.run(at: address)
  }
}

extension Subject {
  /// What a check judges that stands in no table: a fact, the log, the configuration.
  func looking<Value>(at value: Value) -> Value {
    looks?.note()
    return value
  }
}
