internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The part of an input that is looked at.
extension Subject {
  /// The same input as far as the mappings of `filter` go.
  package func limited(to filter: MappingFilter) -> Subject {
    var limited = self
    limited.filter = filter
    limited.settledAsAWhole = imageIsSettled
    limited.narrow { table in
      var space = table.space
      space.runs = filter.runs(of: table)
      space.pointers = TablePointers()
      return space
    }
    return limited
  }

  /// Whether only a part was asked for.
  package var isPart: Bool { range != nil || filter != nil }

  /// What the reader of a report must know of how the input was looked at, a line each.
  package var remarks: [String] {
    var lines: [String] = []
    if let range {
      lines.append(
        "only the range \(mode.text(range.lowerBound))-\(mode.text(range.upperBound &+ 1)) was "
          + "looked at")
    }
    if let filter { lines.append("only mappings that match \(filter.text) were looked at") }
    if let logRefusal {
      lines.append("the log \(logRefusal.path) is not used: \(logRefusal.reason)")
    }
    return lines
  }

  /// Whether it is an image whose symbols nothing tells: neither its memory nor a file.
  var lacksSymbols: Bool { kept.map(\.lacksSymbols) ?? (image != nil && symbols == nil) }

  package static let symbolAdvice = "give --symbols FILE, a vmlinux or System.map of the same build"

  /// Why a rule cannot judge a part of the input; nil where it can, or the whole was asked for.
  func whyNotInPart(_ rule: Rule) -> String? {
    if isPart, rule.comparesParts {
      return "judges the input as a whole, and only a part was asked for"
    }
    if filter != nil, rule.readsLogsAlone {
      return "judges reports of the log, and --filter chooses among mappings"
    }
    if filter != nil, rule.judgesTables {
      return "judges page tables, and --filter chooses among mappings"
    }
    return nil
  }
}

/// A log that was given and not combined.
package struct LogRefusal: Sendable, Equatable, Codable {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}
