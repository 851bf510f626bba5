/// An option's value that cannot be understood.
package struct UsageError: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  /// What is wrong with it and what it may be.
  package let description: String

  package init(_ description: String) { self.description = description }
}
