package import Foundation
package import MemoryImages

/// Where the real captures lie, and what the tests want to know of them.
package enum Samples {
  package static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  package static let healthy = ["healthy", "healthy-pti", "healthy-5level"]
  package static let all = healthy + ["cpa-2008", "cpa-pti", "real-failure"]

  package static func path(_ sample: String, _ file: String) -> String {
    root.appending(path: "samples/\(sample)/\(file)").path
  }

  package static func text(_ sample: String, _ file: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path(sample, file))), as: UTF8.self)
  }

  package static func image(_ sample: String) throws -> KernelImage {
    try KernelImage(try ELFImage(try MappedFile(path: path(sample, "memory.elf"))))
  }

  /// Calls `body` with the path of a file to write, and removes the file.
  package static func withTemporaryFile<Result>(
    _ body: (String) throws -> Result
  ) rethrows -> Result {
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
  }

  /// The output of a command, standard error included.
  package static func run(_ command: [String]) throws -> (
    status: Int32, signalled: Bool, output: Data
  ) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, process.terminationReason == .uncaughtSignal, output)
  }
}
