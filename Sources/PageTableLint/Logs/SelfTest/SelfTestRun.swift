/// One pass of the kernel's CPA self-test, as far as a log tells it.
package struct SelfTestRun: Sendable, Equatable, Codable {
  /// How a pass ended.
  package enum Result: String, Sendable, Codable {
    case passed, failed, incomplete
  }

  /// The three statistic lines in the order of the log, fewer where the log lacks some.
  package var statistics: [SelfTestStatistics] = []
  /// What failed, one element for each address, in the order of the log.
  package var failures: [SelfTestFailure] = []
  /// Complaints of the test that name no address.
  package var errors: [SelfTestError] = []
  /// Whether the log holds the line that begins the pass.
  package var hasHeader = false
  /// Whether the kernel said `ok.` or `PASSED`.
  package var saidPassed = false
  /// Whether the kernel said `NOT PASSED`.
  package var saidNotPassed = false
  /// Whether the strings are those of the first versions, before 2.6.25.
  package var isEarlyForm = false
  /// Whether the log says that messages were dropped during the pass.
  package var hasDroppedMessages = false
  /// The release that the log itself names for this boot.
  package var release: String?
  /// Whether the log says that this boot is a Xen PV guest.
  package var isXenGuest = false
  /// The number of the boot in the log; a second `Linux version` begins another boot.
  package var boot = 0
  /// The first and the last line that belong to the pass, counted from 1.
  package var lines: ClosedRange<Int>

  package init(line: Int) {
    lines = line...line
  }

  /// How the pass ended.
  package var result: Result {
    let complains = errors.contains { $0.kind != .noMemory }
    if !failures.isEmpty || complains || saidNotPassed { return .failed }
    return saidPassed ? .passed : .incomplete
  }

  /// Whether the log holds more of it than the line that begins it.
  var isMoreThanItsName: Bool { result != .incomplete || !statistics.isEmpty }

  /// Whether the log holds the end of the pass.
  package var isComplete: Bool { saidPassed || saidNotPassed }

  /// The statistic lines before and after the revert, where the log holds both.
  package var statisticsAroundRevert: (before: SelfTestStatistics, after: SelfTestStatistics)? {
    guard (2...3).contains(statistics.count) else { return nil }
    let lastChange = failures.lazy
      .compactMap { $0.changeLine }
      .max()
    let later = statistics.filter { $0.line > lastChange ?? 0 }
    if statistics.count == 3 {
      // A failure line after the second statistic line would be of another pass.
      return later.count >= 2 ? (statistics[1], statistics[2]) : nil
    }
    guard lastChange != nil, later.count == 2, !hasHeader else { return nil }
    return (later[0], later[1])
  }
}

/// A statistic line: the direct map's entries by size.
package struct SelfTestStatistics: Sendable, Equatable, Codable {
  package var fourK: UInt64
  package var large: UInt64
  package var gigabyte: UInt64
  package var executable: UInt64
  /// The first and the last executable entry's address.
  package var first: UInt64
  package var last: UInt64
  /// The 4 KiB pages of holes.
  package var missed: UInt64
  /// The line of the log, counted from 1.
  package var line: Int
}

/// What the lines about one address say.
package struct SelfTestFailure: Sendable, Equatable, Codable {
  /// The strings that a failure may consist of.
  package struct Kinds: OptionSet, Sendable, Codable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let badEntry = Self(rawValue: 1)
    package static let unexpectedLevel = Self(rawValue: 2)
    package static let badEntryAfterRevert = Self(rawValue: 4)
    package static let lookupFailed = Self(rawValue: 8)
    package static let notLarge = Self(rawValue: 16)
  }

  package var address: UInt64
  /// The entry of `bad pte` or of `but not PSE`.
  package var entry: UInt64?
  package var level: Int?
  package var kinds: Kinds
  /// The entry of `bad pte after revert`.
  package var entryAfterRevert: UInt64?
  /// The lines of the log, counted from 1.
  package var lines: [Int]
  /// The last line that the change, not the revert or the count, gave rise to.
  package var changeLine: Int?
  /// Whether nothing of the self-test follows, so that a level line may have been cut off.
  package var isLastWord = false
  /// Whether the text ends with the entry, so that digits of it may have been cut off.
  package var isEntryAtEnd = false

  package init(
    address: UInt64, entry: UInt64? = nil, level: Int? = nil, kinds: Kinds,
    entryAfterRevert: UInt64? = nil, lines: [Int], changeLine: Int? = nil
  ) {
    self.address = address
    self.entry = entry
    self.level = level
    self.kinds = kinds
    self.entryAfterRevert = entryAfterRevert
    self.lines = lines
    self.changeLine = changeLine
  }
}

/// A complaint of the test that names no address.
package struct SelfTestError: Sendable, Equatable, Codable {
  package enum Kind: Sendable, Equatable, Codable {
    /// `CPA 17 failed -12`.
    case request(test: Int64, code: Int64)
    /// `CPA reverting failed: -12`.
    case revert(code: Int64)
    /// `CPA max_pfn_mapped 1 but expected 2`.
    case count(mapped: UInt64, expected: UInt64)
    /// `CPA Cannot vmalloc bitmap`.
    case noMemory
  }

  package var kind: Kind
  /// The line of the log, counted from 1.
  package var line: Int
}
