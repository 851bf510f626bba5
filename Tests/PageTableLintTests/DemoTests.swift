import Foundation
import MemoryImages
import PageTableLint
import Support
import Testing

/// What README.md and docs/demo.svg show is what the program prints; `RECORD=1` writes both again.
@Suite struct DemoTests {
  private func output() throws -> String {
    let result = try Samples.run([
      Samples.root.appending(path: ".build/release/ptdump-lint").path, "cpa",
      Samples.path("cpa-2008", "memory.elf"),
    ])
    #expect(result.status == 0)
    return String(decoding: result.output, as: UTF8.self)
  }

  @Test func screenIsSmall() throws {
    let lines = try output().split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count <= 24)
    #expect(lines.allSatisfy { $0.count < 80 })
  }

  @Test func readmeShowsTheOutput() throws {
    let path = Samples.root.appending(path: "README.md")
    let page = String(decoding: try Data(contentsOf: path), as: UTF8.self)
    let shown = try output().split(separator: "\n").map { "    \($0)\n" }.joined()
    guard ProcessInfo.processInfo.environment["RECORD"] == "1" else {
      #expect(page.contains("    $ make demo\n" + shown + "\n"))
      return
    }
    let start = try #require(page.range(of: "    $ make demo\n"))
    let end = try #require(page.range(of: "\n\n", range: start.upperBound..<page.endIndex))
    let new = page.replacingCharacters(
      in: start.upperBound..<end.lowerBound, with: shown.dropLast())
    try Data(new.utf8).write(to: path)
  }

  @Test func pictureShowsTheOutput() throws {
    let path = Samples.root.appending(path: "docs/demo.svg")
    let drawn = Self.draw(
      "$ ptdump-lint cpa samples/cpa-2008/memory.elf", try output())
    if ProcessInfo.processInfo.environment["RECORD"] == "1" {
      try Data(drawn.utf8).write(to: path)
    } else {
      #expect(String(decoding: try Data(contentsOf: path), as: UTF8.self) == drawn)
    }
  }

  /// A terminal as a picture: the command, and its output a line each.
  private static func draw(_ command: String, _ output: String) -> String {
    let lines = [command] + output.split(separator: "\n").map(String.init)
    let height = 20 * lines.count + 30
    var picture = """
      <svg xmlns="http://www.w3.org/2000/svg" width="720" height="\(height)" \
      viewBox="0 0 720 \(height)" role="img" aria-label="output of ptdump-lint cpa">
      <rect width="100%" height="100%" rx="6" fill="#1b1e23"/>
      <g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" \
      fill="#d8dbe0" xml:space="preserve">

      """
    for (index, line) in lines.enumerated() {
      let color =
        index == 0
        ? " fill=\"#8a93a0\""
        : line.contains("Verdict:")
          ? " fill=\"#8fd18f\""
          : line.hasPrefix("cause") || line.hasPrefix("  fix") ? " fill=\"#e8c07a\"" : ""
      let text = line.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
        .replacing(">", with: "&gt;")
      picture +=
        "<text x=\"16\" y=\"\(28 + 20 * index)\"\(color) xml:space=\"preserve\">\(text)</text>\n"
    }
    return picture + "</g>\n</svg>\n"
  }
}
