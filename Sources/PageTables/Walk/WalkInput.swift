internal import Synchronization

/// What a walk is given, and all walkers of its subtrees share.
struct WalkInput: Sendable {
  let mode: TableFormat
  let memory: any PhysicalMemory
  let shadow: EarlyShadow?
  let budget: RunBudget?
  let progress: WalkProgress?
  /// Where the walk ends; zero for the top of the address space.
  let end: UInt64
  /// Bits that do not make a leaf another run than the one before.
  let ignored: UInt64
}

/// Counts the tables of all threads.
final class WalkProgress: Sendable {
  private let report: @Sendable (Int) -> Void
  private let tables = Mutex(0)

  init(_ report: @escaping @Sendable (Int) -> Void) { self.report = report }

  func add(_ count: Int) {
    report(
      tables.withLock {
        $0 += count
        return $0
      })
  }
}
