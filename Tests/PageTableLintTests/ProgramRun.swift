import Foundation
import Support

/// A run of the program that was built beside these tests.
struct ProgramRun {
  let status: Int32
  let output: String
  let errors: String

  /// - Parameter folder: where it runs; the repository's root where nil.
  init(_ arguments: [String], in folder: String? = nil) throws {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let place = folder ?? Samples.root.path
    (status, output, errors) = try Samples.withTemporaryFile { path in
      let result = try Samples.run(
        ["bash", "-c", "cd \"$0\" && exec \"$1\" 2> \"$2\" \"${@:3}\"", place, program, path]
          + arguments)
      let errors = try String(decoding: Data(contentsOf: URL(filePath: path)), as: UTF8.self)
      return (result.status, String(decoding: result.output, as: UTF8.self), errors)
    }
  }

  /// A shell's line, in a folder of its own; `$0` is the program and `$1` the repository.
  static func shell(_ line: String) throws -> (status: Int32, output: String) {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let result = try Samples.run([
      "bash", "-c", "cd \"$2\" && \(line)", program, Samples.root.path, folder.path,
    ])
    return (result.status, String(decoding: result.output, as: UTF8.self))
  }

  /// The output as JSON.
  func json() throws -> [String: Any] {
    try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any] ?? [:]
  }
}
