package import KernelText

/// Something that kernels did in health before a release, and that is a defect since.
package struct Habit: Sendable, Equatable {
  /// What would be said of it today.
  package enum Defect: Sendable {
    case writableExecutable
    case executableDirectMap
    case writableText
  }

  /// The first release without it.
  package let before: KernelVersion
  /// What those kernels did.
  package let words: String
  /// The change that ended it.
  package let source: String
}
