import Foundation
import Support
import Testing

/// The commands that a page of docs shows, and what it says that they print.
enum PageCommands {
  /// Runs each block that starts with `$ ptdump-lint`, from the root of the repository.
  ///
  /// Each of its other lines must be printed. Three dots stand for what is left out.
  ///
  /// - Returns: the words of each command.
  static func run(_ page: String) throws -> [[String]] {
    let blocks = page.split(separator: "\n\n").filter { $0.hasPrefix("    $ ptdump-lint ") }
    return try blocks.map { block in
      let lines = block.split(separator: "\n").map { String($0.dropFirst(4)) }
      let words = lines[0].dropFirst("$ ptdump-lint ".count).split(separator: " ").map(String.init)
      let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        .appending(path: "ptdump-lint").path
      let result = try Samples.run(
        ["sh", "-c", "cd \"$0\" && exec \"$@\"", Samples.root.path, program] + words)
      let output = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
      for line in lines.dropFirst() {
        let parts = line.split(separator: "...").map(String.init)
        #expect(
          output.contains { printed in parts.allSatisfy { printed.contains($0) } },
          "\(lines[0]): \(line)")
      }
      #expect(lines.count > 1)
      return words
    }
  }
}
