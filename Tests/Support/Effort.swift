internal import Foundation

/// How much the tests do that repeat one thing many times.
///
/// `make test` takes a few cases of each kind, `make test-all` all of them: it sets TESTS=all.
package enum Effort {
  package static let isFull = ProcessInfo.processInfo.environment["TESTS"] == "all"

  /// The number of cases to take of `all`: one in `share`, and one at least.
  package static func cases(_ all: Int, oneIn share: Int) -> Int {
    isFull ? all : max(1, all / share)
  }

  /// One in `share` of the cases, from the first on.
  package static func some<Case>(of all: [Case], oneIn share: Int) -> [Case] {
    isFull ? all : stride(from: 0, to: all.count, by: share).map { all[$0] }
  }
}
