import Foundation
import Support
import Testing

/// The man pages that docs/man-pages makes of the program's help.
@Suite struct ManualTests {
  @Test func eachCommandHasAPageWithItsOptions() throws {
    let options: [String: Set<String>] = Dictionary(
      uniqueKeysWithValues: try ProseTests.options().map { ("ptdump-lint-\($0)", $1) }
        + [("ptdump-lint", [])])
    try Samples.withTemporaryFile { folder in
      let made = try Samples.run([
        Samples.root.appending(path: "docs/man-pages").path, try ProseTests.program(), folder,
      ])
      #expect(made.status == 0)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(Set(names) == Set(options.keys.map { "\($0).1" }))
      for (command, options) in options {
        let data = try Data(contentsOf: URL(filePath: "\(folder)/\(command).1"))
        let page = String(decoding: data, as: UTF8.self)
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
          #expect(page.contains("\n.SH \(section)\n"), "\(command) lacks \(section)")
        }
        for option in options where option.hasPrefix("--") {
          #expect(
            page.contains(option.replacing("-", with: "\\-")), "\(command) lacks \(option)")
        }
        // A line that troff would take for a request.
        let isOdd = page.split(separator: "\n").contains {
          $0.hasPrefix("'") || $0.contains(/^\.[a-z]/) && ![".nf", ".fi"].contains($0)
        }
        #expect(!isOdd, "\(command)")
      }
    }
  }
}
