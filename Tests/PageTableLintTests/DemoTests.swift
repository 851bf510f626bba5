import Foundation
import MemoryImages
import PageTableLint
import Support
import Testing

/// What README.md, docs/demo.svg and docs/fault.svg show is what the program prints.
///
/// `RECORD=1` writes all three again.
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
    try hold("demo.svg", [("ptdump-lint cpa samples/cpa-2008/memory.elf", try output())])
  }

  /// Two oopses that people posted.
  @Test func pictureShowsFaults() throws {
    let logs = ["09-ascii-pmd-6.12.txt", "53-kvm-cpu-hotplug-rodata-6.9.txt"]
    try hold(
      "fault.svg",
      logs.map { log in
        let result = try Samples.run([
          Samples.root.appending(path: ".build/release/ptdump-lint").path, "fault",
          Samples.path("logs", log),
        ])
        #expect(result.status == 1)
        return (
          "ptdump-lint fault samples/logs/\(log)", String(decoding: result.output, as: UTF8.self)
        )
      })
  }

  private func hold(_ name: String, _ runs: [(command: String, output: String)]) throws {
    let path = Samples.root.appending(path: "docs/\(name)")
    let drawn = Self.draw(runs)
    if ProcessInfo.processInfo.environment["RECORD"] == "1" {
      try Data(drawn.utf8).write(to: path)
    } else {
      #expect(String(decoding: try Data(contentsOf: path), as: UTF8.self) == drawn)
    }
  }

  /// A terminal as a picture: commands, and their output a line each.
  private static func draw(_ runs: [(command: String, output: String)]) -> String {
    let lines = runs.flatMap {
      ["$ \($0.command)"] + $0.output.split(separator: "\n").map(String.init)
    }
    let height = 20 * lines.count + 30
    let width = max(720, 17 * (lines.map(\.count).max() ?? 0) / 2 + 32)
    var picture = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
      viewBox="0 0 \(width) \(height)" role="img" aria-label="output of \(runs[0].command)">
      <rect width="100%" height="100%" rx="6" fill="#1b1e23"/>
      <g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" \
      fill="#d8dbe0" xml:space="preserve">

      """
    for (index, line) in lines.enumerated() {
      let fill = color(line)
      let text = line.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
        .replacing(">", with: "&gt;")
      picture +=
        "<text x=\"16\" y=\"\(28 + 20 * index)\"\(fill) xml:space=\"preserve\">\(text)</text>\n"
    }
    return picture + "</g>\n</svg>\n"
  }

  private static func color(_ line: String) -> String {
    if line.hasPrefix("$ ") { return " fill=\"#8a93a0\"" }
    if line.contains("Verdict:") { return " fill=\"#8fd18f\"" }
    let decides = ["cause", "  fix", "    why:"].contains(where: line.hasPrefix)
    return decides ? " fill=\"#e8c07a\"" : ""
  }
}
