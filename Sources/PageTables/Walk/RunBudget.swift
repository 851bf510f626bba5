internal import Synchronization

/// How many runs all walks of an image may keep together.
package final class RunBudget: Sendable {
  private let left: Atomic<Int>
  /// Whether the image's own size sets the limit, not the memory that this program may take.
  let isOfImage: Bool

  /// Runs that an image may make beside those that its tables' entries warrant.
  ///
  /// Tables that are used again make more runs than entries. ESPfix, the most wasteful thing Linux
  /// does with them, makes 131,072 runs for 64 processors, and such a machine has tables enough for
  /// three times as many. Source: `init_espfix_ap`, arch/x86/kernel/espfix_64.c, 6.12.
  private static let beside = 3 << 17

  /// - Parameters:
  ///   - bytes: the memory that the runs may take.
  ///   - held: the bytes of memory that the image holds: each entry of 4 bytes warrants a run, and
  ///     one more where its table is used again.
  package init(bytes: Int, held: UInt64 = ~0) {
    let room = bytes / MemoryLayout<Run>.stride
    let warranted = Int(clamping: held / 2).addingReportingOverflow(Self.beside)
    isOfImage = !warranted.overflow && warranted.partialValue < room
    left = Atomic(isOfImage ? warranted.partialValue : room)
  }

  /// How many runs there is still room for.
  var remaining: Int { max(0, left.load(ordering: .relaxed)) }

  /// Takes room for `count` runs more; false where there is none left.
  func take(_ count: Int) -> Bool {
    left.subtract(count, ordering: .relaxed).newValue >= 0
  }
}
