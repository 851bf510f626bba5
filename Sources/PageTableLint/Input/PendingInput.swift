internal import KernelImages
package import MemoryImages

/// An input of a run over several, before its turn.
package struct PendingInput: Sendable {
  package let path: String
  private let source: Source

  private enum Source: Sendable {
    case opened(InputReader.Input)
    case failed(ImageError)
    case path
  }

  /// What paths name, in order: the parts of a split dump are one, and no paths are the running kernel.
  ///
  /// One that cannot be opened is found out in its turn.
  package static func inputs(_ paths: [String]) -> [PendingInput] {
    guard !paths.isEmpty else {
      return [PendingInput(path: "the running kernel", source: .opened(.runningKernel))]
    }
    var pending: [(place: Int, input: PendingInput)] = []
    var files: [(place: Int, file: MappedFile)] = []
    for (place, path) in paths.enumerated() where path != KcoreImage.file {
      do throws(ImageError) {
        files.append((place, try ImageFile.content(path: path)))
      } catch {
        pending.append((place, PendingInput(path: path, source: .failed(error))))
      }
    }
    for group in ImageFile.grouped(files.map(\.file)) {
      let place = files.first { $0.file === group[0] }?.place ?? 0
      pending.append(
        (place, PendingInput(path: group[0].path, source: .opened(.files(group)))))
    }
    return pending.sorted { $0.place < $1.place }.map(\.input)
      + paths.filter { $0 == KcoreImage.file }.map {
        PendingInput(path: $0, source: .opened(.kcore))
      }
  }

  /// Paths that are inputs each by itself, and are opened in their turn.
  package static func each(of paths: [String]) -> [PendingInput] {
    paths.map { PendingInput(path: $0, source: .path) }
  }

  /// The input.
  ///
  /// - Throws: `ImageError` where it cannot be opened.
  package func opened() throws(ImageError) -> InputReader.Input {
    switch source {
    case .opened(let input): return input
    case .failed(let error): throw error
    case .path: return try InputReader.inputs([path])[0]
    }
  }
}
