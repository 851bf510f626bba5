internal import Dispatch
internal import Glibc
internal import Synchronization

/// Subtrees that are walked side by side, and taken over in the order of the walk while others are
/// still walked.
final class SubtreeWalks: Sendable {
  private enum Outcome: Sendable {
    case pending
    case walked(WalkedSubtree)
  }

  private let subtrees: [Subtree]
  private let input: WalkInput
  /// Nil where the walk waits for no table.
  private let ahead: ReadAhead?
  /// The first one that nobody walks yet.
  private let next = Atomic(0)
  private let outcomes: Mutex<[TableKey: Outcome]>
  /// Signalled for each one that is done.
  private let progress = DispatchSemaphore(value: 0)

  /// How many there are.
  var count: Int { subtrees.count }

  /// How many threads have something to do, with the one that takes them over.
  var threads: Int { max(1, min(sysconf(Int32(_SC_NPROCESSORS_ONLN)), count)) }

  /// - Parameter listed: one alone is left to the walk of all.
  init(_ listed: [Subtree], _ input: WalkInput) {
    subtrees = listed.count > 1 ? listed : []
    self.input = input
    outcomes = Mutex(Dictionary(uniqueKeysWithValues: subtrees.map { ($0.key, .pending) }))
    let ahead = ReadAhead(input.mode, input.memory)
    self.ahead = ahead.isNeeded(by: subtrees) ? ahead : nil
    self.ahead?.willRead(below: group(from: 0))
  }

  /// What was found below a table, as soon as it is known, and once; nil where it was not walked here.
  ///
  /// Walks others as long as it has to wait.
  func take(_ key: TableKey) -> WalkedSubtree? {
    while true {
      let outcome = outcomes.withLock { outcomes in
        if case .walked = outcomes[key] { return outcomes.removeValue(forKey: key) }
        return outcomes[key]
      }
      switch outcome {
      case nil: return nil
      case .walked(let found): return found
      case .pending: if !walkNext() { progress.wait() }
      }
    }
  }

  /// Walks those that nobody walks yet, until there are none.
  func walk() {
    while walkNext() {}
  }

  /// Walks the next one; false where each is done or somebody is at it.
  private func walkNext() -> Bool {
    let index = next.add(1, ordering: .relaxed).oldValue
    guard index < subtrees.count else { return false }
    // The next ones are fetched while these are walked.
    if let ahead, index % ReadAhead.together == 0 {
      ahead.willRead(below: group(from: index + ReadAhead.together))
    }
    let subtree = subtrees[index]
    let found = TableScanner(input, subtrees: count).walking(subtree)
    outcomes.withLock { $0[subtree.key] = found.map(Outcome.walked) }
    progress.signal()
    return true
  }

  private func group(from start: Int) -> ArraySlice<Subtree> {
    subtrees[min(start, count)..<min(start + ReadAhead.together, count)]
  }
}
