package import MemoryImages

/// An input of a run over several, before its turn: nothing of it was read.
package struct PendingInput: Sendable {
  /// A file's, or those of the parts of a split dump; none for the running kernel.
  package let paths: [String]

  package var path: String { paths.first ?? "the running kernel" }

  /// What paths name, in order: the parts of a split dump are one, and no paths are the running kernel.
  package static func inputs(_ paths: [String]) -> [PendingInput] {
    paths.isEmpty
      ? [PendingInput(paths: [])] : ImageFile.grouped(paths).map { PendingInput(paths: $0) }
  }

  /// Paths that are inputs each by itself.
  package static func each(of paths: [String]) -> [PendingInput] {
    paths.map { PendingInput(paths: [$0]) }
  }

  /// The input.
  ///
  /// - Throws: `ImageError` where it cannot be opened.
  package func opened() throws(ImageError) -> InputReader.Input {
    try InputReader.inputs(paths)[0]
  }
}
