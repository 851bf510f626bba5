package import MemoryImages
internal import PageTables

/// An input that could not be read, among others that could.
package struct UnreadableInput: Sendable, Equatable {
  package let path: String
  package let reason: String
  package let advice: String
  /// Whether the input is at fault, or what of the machine ran out.
  package let cause: ImageError.Cause

  /// - Parameter path: the input's; the error may be of a file that is read beside it.
  package init(_ path: String, _ error: ImageError) {
    self.path = path
    let place = error.offset.map { "at offset \($0.entry): " } ?? ""
    reason = (error.path == path ? "" : "\(error.path): ") + place + error.problem
    advice = error.advice
    cause = error.cause
  }

  /// What formats of one line say: `not analysed: REASON; ADVICE`.
  var remark: String { "not analysed: \(reason); \(advice)" }
}
