internal import KernelText
internal import PageTables

/// A known reason for a line about a mapping, with the releases that have it.
struct KnownCause: Sendable {
  let kind: Fault.Kind
  /// Releases from `since` on and before `until`; nil where that side is open.
  private(set) var since: KernelVersion?
  private(set) var until: KernelVersion?
  /// The area's name; nil for any.
  private(set) var area: Area.Kind?
  /// Where the address lies; nil for anywhere.
  private(set) var range: ClosedRange<UInt64>?
  /// Words of which the log must have one; empty where none are needed.
  private(set) var mentions: [String] = []
  /// Whether a log that begins later than the boot, and so may lack those words, rules it out.
  private(set) var mustBeTold = false
  /// Whether a healthy boot prints the line.
  private(set) var isExpected = false
  /// What the user reads.
  let sentence: String
  /// The kernel's file and version, or the commit.
  let source: String

  /// The causes that may explain a line; those of some releases only where the release is known.
  ///
  /// - Parameters:
  ///   - isArm64: whether the log is of an arm64 kernel.
  ///   - area: the area of the address by name; nil where unknown.
  ///   - words: those of `KnownCause.words` that the log has; nil for a log that begins later than the
  ///     boot.
  static func causes(
    of fault: Fault, isArm64: Bool, area: String?, release: String?, words: Set<String>?
  ) -> [KnownCause] {
    let number = release.flatMap { KernelVersion(release: $0) }
    return (isArm64 ? arm64Table : x86Table).filter { cause in
      guard cause.kind == fault.kind else { return false }
      if cause.since != nil || cause.until != nil {
        guard let number, cause.since.map({ number >= $0 }) ?? true,
          cause.until.map({ number < $0 }) ?? true
        else { return false }
      }
      if let wanted = cause.area, area != wanted.name { return false }
      if let range = cause.range, !(fault.address.map(range.contains) ?? false) { return false }
      if cause.mentions.isEmpty { return true }
      guard let words else { return !cause.mustBeTold }
      return cause.mentions.contains(where: words.contains)
    }
  }

  /// All words that causes ask for.
  static let words: [String] = Set((x86Table + arm64Table).flatMap(\.mentions)).sorted()
}
