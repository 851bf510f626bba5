private import FoundationEssentials
internal import KernelImages
internal import PageTables

extension Subject {
  /// What is known of the kernel, by name, as people read it; JSON has `facts.listed`.
  var readableFacts: [(name: String, value: String, source: String)] {
    var words: [String: String] = [:]
    words[FactKey.crashTime.name] = (facts.crashTime?.value).flatMap(Self.date(seconds:))
    words[FactKey.directPages.name] = (facts.directPages?.value).map { counts in
      let size = zip(mode.levels, counts).reduce(UInt64(0)) { $0 &+ $1.0.span &* $1.1 }
      return mode.text(leaves: counts) + ", \(size.readableSize)"
    }
    return facts.listed.map {
      (name: $0.name, value: words[$0.name] ?? $0.value, source: $0.source)
    }
  }

  /// Seconds since 1970 as `2023-11-14 22:13:20 UTC`.
  private static func date(seconds: String) -> String? {
    UInt32(seconds).map {
      Date(timeIntervalSince1970: Double($0)).formatted(.iso8601.dateTimeSeparator(.space))
        .replacing("Z", with: " UTC")
    }
  }
}

extension TableFormat {
  /// Numbers of leaves, the smallest size first: `2016 of 4K, 124 of 2M, 0 of 1G`.
  func text(leaves: [UInt64]) -> String {
    zip(levels, leaves).map { "\($1) of \($0.span.size)" }.joined(separator: ", ")
  }
}
