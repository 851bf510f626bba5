internal import Synchronization

/// How many runs all walks of an image may keep together.
package final class RunBudget: Sendable {
  private let left: Atomic<Int>

  /// - Parameter bytes: the memory that the runs may take.
  package init(bytes: Int) { left = Atomic(bytes / MemoryLayout<Run>.stride) }

  /// Takes room for `count` runs more; false where there is none left.
  func take(_ count: Int) -> Bool {
    left.subtract(count, ordering: .relaxed).newValue >= 0
  }
}
