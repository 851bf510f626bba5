internal import PageTables

/// Why an input cannot be analysed: the file, where in it, what was expected, what to do.
package struct ImageError: Error, Sendable, Equatable, CustomStringConvertible {
  package let path: String
  package let offset: UInt64?
  package let problem: String
  package let advice: String

  package init(_ path: String, offset: UInt64? = nil, _ problem: String, advice: String) {
    self.path = path
    self.offset = offset
    self.problem = problem
    self.advice = advice
  }

  package var description: String {
    let place = offset.map { " at offset \($0.entry)" } ?? ""
    return "\(path)\(place): \(problem); \(advice)"
  }
}
