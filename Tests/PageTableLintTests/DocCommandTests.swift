import Foundation
import Support
import Testing

/// Every command of the pages is run as it stands there, and what the page shows of its output is held
/// against it: lines that begin with four spaces and `$ `, and the lines behind them, in which `...` stands for anything.
///
/// A comment at the end tells what is expected or needed: `# exits N`, else 0; `# root`, `# QEMU`,
/// `# network`, `# swift` are not run here, but listed; Tests/Live/runner runs those of QEMU, and of
/// root what begins with `sudo ptdump-lint`. `make` builds, and so needs swift without saying so.
@Suite struct DocCommandTests {
  struct Command: CustomStringConvertible, Sendable {
    let page: String
    let line: String
    var shown: [String] = []
    var description: String { "\(page): \(line)" }

    private var parts: [String] { line.components(separatedBy: "   # ") }
    var text: String { parts[0] }
    var needs: String? {
      if text.hasPrefix("make ") { return "swift" }
      guard parts.count > 1, !parts[1].hasPrefix("exits ") else { return nil }
      return parts[1]
    }
    var status: Int32 {
      parts.count > 1 ? Int32(parts[1].dropFirst("exits ".count)) ?? 0 : 0
    }
  }

  /// The rules' pages are made from the rules and have no commands of a reader's.
  static let pages: [String] = {
    let docs = Samples.root.appending(path: "docs").path
    let found = FileManager.default.enumerator(atPath: docs)?.compactMap { $0 as? String } ?? []
    return ["README.md"]
      + found.filter { $0.hasSuffix(".md") && !$0.hasPrefix("rules/") }.sorted().map {
        "docs/\($0)"
      }
  }()

  static func lines(_ page: String) -> [String] {
    let path = Samples.root.appending(path: page)
    let text = (try? Data(contentsOf: path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return text.components(separatedBy: "\n")
  }

  static let commands: [Command] = pages.flatMap { page in
    var commands: [Command] = []
    var isOutput = false
    for line in lines(page) {
      if line.hasPrefix("    $ ") {
        commands.append(Command(page: page, line: String(line.dropFirst(6))))
        isOutput = true
      } else if isOutput, line.hasPrefix("    ") {
        commands[commands.count - 1].shown.append(String(line.dropFirst(4)))
      } else {
        isOutput = false
      }
    }
    return commands
  }

  /// Runs a page's commands one after the other in a folder of its own, where `samples` and
  /// README.md are those of the project.
  @Test(arguments: pages) func commandsRun(page: String) throws {
    let commands = Self.commands.filter { $0.page == page && $0.needs == nil }
    guard !commands.isEmpty else { return }
    try Samples.withTemporaryFile { folder in
      let files = FileManager.default
      try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in ["samples", "README.md", "docs"] {
        try files.createSymbolicLink(
          atPath: "\(folder)/\(name)",
          withDestinationPath: Samples.root.appending(path: name).path)
      }
      let programs = Samples.root.appending(path: ".build/release").path
      for command in commands {
        let result = try Samples.run([
          "bash", "-c", "cd '\(folder)' && PATH='\(programs)':$PATH && \(command.text)",
        ])
        let output = String(decoding: result.output, as: UTF8.self)
        #expect(result.status == command.status, "\(command): \(output.suffix(500))")
        for shown in command.shown {
          #expect(Self.says(output, shown), "\(command): expected \(shown)")
        }
      }
    }
  }

  /// A command that is written otherwise would be passed over.
  @Test(arguments: pages) func commandsAreMarked(page: String) {
    // Below "Use" README.md lists the commands, with words that stand for inputs.
    let unmarked = Self.lines(page).prefix { page != "README.md" || $0 != "## Use" }.filter {
      line in
      ["    ptdump-lint ", "    sudo ", "    make ", "```"].contains(where: line.hasPrefix)
    }
    #expect(unmarked.isEmpty, "\(page): a command begins with four spaces and `$ `")
  }

  @Test func commandsThatAreNotRunAreListed() {
    let left = Self.commands.filter { $0.needs != nil }
    for command in left { print("NOT RUN (\(command.needs ?? "")): \(command)") }
    let known: Set = ["root", "QEMU", "network", "swift"]
    #expect(left.allSatisfy { known.contains($0.needs ?? "") }, "\(left)")
    #expect(Self.commands.count - left.count >= 20)
  }

  /// What a page shows of Swift is a part of the package that `make test` builds and runs.
  @Test func theLibrarysPageIsCompiled() throws {
    let tests = "samples/library/Tests/KernelTests/KernelTests.swift"
    let code = Self.lines(tests).joined(separator: "\n")
    let page = Self.lines("docs/library.md").joined(separator: "\n")
    // Lines that are indented, with empty ones between them.
    let blocks = page.matches(of: /(?m)(?:^    .*\n+)+/).map { block in
      block.output.split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.dropFirst(4) }.joined(separator: "\n").trimmingCharacters(in: .newlines)
    }.filter { !$0.hasPrefix("$ ") }
    #expect(!blocks.isEmpty)
    for block in blocks { #expect(code.contains(block), "not in \(tests): \(block)") }
  }

  private static let validator = Samples.root.appending(
    path: ".build/witnesses/bin/check-jsonschema"
  ).path

  /// By the schemas that PyPI's check-jsonschema ships, which refuse a job that is none.
  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: validator)),
    arguments: [
      ("github", "github-workflows"), ("action", "github-actions"), ("gitlab", "gitlab-ci"),
    ])
  func jobsAreValid(job: String, schema: String) throws {
    let text = Self.lines("samples/ci/\(job).yml").joined(separator: "\n")
    // A GitLab component's inputs are a document of their own.
    let parts = text.components(separatedBy: "\n---\n")
    let body = try #require(parts.last)
    func status(_ text: String) throws -> Int32 {
      try Samples.withTemporaryFile { path in
        try Data(text.utf8).write(to: URL(filePath: path))
        return try Samples.run([
          Self.validator, "--default-filetype", "yaml", "--builtin-schema", "vendor.\(schema)",
          path,
        ]).status
      }
    }
    #expect(try status(body) == 0)
    #expect(try status(body.replacing(/(runs-on|codequality|using):/, with: "other:")) == 1)
  }

  /// Whether a line of `output` holds `shown`, in which `...` stands for anything.
  private static func says(_ output: String, _ shown: String) -> Bool {
    let parts = shown.components(separatedBy: "...")
    return output.components(separatedBy: "\n").contains { line in
      var rest = line[...]
      return parts.allSatisfy { part in
        guard !part.isEmpty else { return true }
        guard let found = rest.range(of: part) else { return false }
        rest = rest[found.upperBound...]
        return true
      }
    }
  }
}
