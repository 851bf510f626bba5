import Foundation
import Support
import Testing

/// What people read is held to simple measures: README.md, docs, and the pages beside samples.
@Suite struct ProseTests {
  static let pages: [Page] = {
    func below(_ folder: String) -> [String] {
      let path = Samples.root.appending(path: folder).path
      let found = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
      // What a package that somebody built beside its page brings is not ours.
      let ours = found.filter { $0.hasSuffix(".md") && !$0.contains(".build/") }
      return ours.sorted().map { "\(folder)/\($0)" }
    }
    return
      (["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] + below("docs")
      + below("samples")).map { path in
        let data = try? Data(contentsOf: Samples.root.appending(path: path))
        return Page(path: path, text: String(decoding: data ?? Data(), as: UTF8.self))
      }
  }()

  /// Words that a careful writer would not choose here, and what to write.
  private static let words: [(phrases: [String], instead: String)] = [
    (["mend", "mends", "mended", "mending"], "fix"),
    (["stand back", "stands back", "stood back", "standing back"], "is skipped"),
    (["go before", "goes before"], "comes first, wins"),
    (["tell apart", "tells apart", "told apart"], "distinguish"),
    (["speak of", "speaks of", "spoke of", "rule speaks", "rule spoke", "rules speak"], "report"),
    (["is told by", "are told by"], "comes from"),
    (["behind it"], "after it"),
  ]

  /// What keeps a page from being finished.
  private static func faults(_ page: Page) -> [String] {
    let long = page.prose.flatMap { piece in
      Page.sentences(piece.text).filter { $0.words > 25 }.map {
        "\(page.path):\(piece.line): \($0.words) words: \($0.text)"
      }
    }
    let words = (page.prose + page.cells).flatMap { piece in
      let words = Page.plain(piece.text).lowercased().split(separator: " ").map {
        $0.trimmingCharacters(in: .punctuationCharacters)
      }
      let text = " \(words.joined(separator: " ")) "
      return Self.words.flatMap { phrases, instead in
        phrases.filter { text.contains(" \($0) ") }.map {
          "\(page.path):\(piece.line): \($0): write \(instead)"
        }
      }
    }
    return long + words + page.wide.map { "\(page.path):\($0): above 100 columns" }
  }

  @Test func proseIsPlain() {
    #expect(Self.pages.count > 100)
    for page in Self.pages {
      let faults = Self.faults(page)
      #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
    }
  }

  @Test func faultsAreSeen() {
    let long = Array(repeating: "w", count: 25).joined(separator: " ")
    func faults(_ text: String) -> [String] { Self.faults(Page(path: "a.md", text: text)) }
    #expect(faults("A \(long).").count == 1)
    #expect(faults("A \(long)\n\(long) word.").count == 1)
    #expect(faults(Array(repeating: "word", count: 24).joined(separator: " ")).count == 1)
    let code = "    A \(long).\n\n```\nA \(long)\n```\n"
    #expect(faults("A `let \(long)`.\n\n\(code)\n| A \(long) |").isEmpty)
    #expect(faults("A [\(long)](a.md).").count == 1)
    #expect(faults("- The rule\n  stands back.") == ["a.md:1: stands back: write is skipped"])
    #expect(faults("| what mends it |").count == 1)
  }

  @Test func linksAreAlive() {
    var anchors: [String: Set<String>] = [:]
    for page in Self.pages { anchors[page.path] = page.anchors }
    var count = 0
    for page in Self.pages {
      let folder = URL(filePath: "/\(page.path)").deletingLastPathComponent()
      for link in page.links where !link.text.contains(/^[a-z]+:/) {
        count += 1
        let parts = link.text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let path =
          parts[0].isEmpty
          ? page.path
          : String(folder.appending(path: String(parts[0])).standardized.path.dropFirst())
        #expect(
          FileManager.default.fileExists(atPath: Samples.root.appending(path: path).path),
          "\(page.path):\(link.line): \(link.text)")
        guard parts.count > 1, let known = anchors[path] else { continue }
        #expect(known.contains(String(parts[1])), "\(page.path):\(link.line): \(link.text)")
      }
    }
    #expect(count > 150)
  }

  // MARK: - Commands

  private struct Help: Decodable {
    struct Command: Decodable {
      let commandName: String
      var arguments: [Argument]?
      var subcommands: [Command]?
    }
    struct Argument: Decodable {
      struct Name: Decodable {
        let kind: String
        let name: String
      }
      var names: [Name]?
    }
    let command: Command
  }

  static func program() throws -> String {
    try #require(
      [".build/release", ".build/debug"].map {
        Samples.root.appending(path: "\($0)/ptdump-lint").path
      }.first(where: FileManager.default.isExecutableFile))
  }

  /// Each command's options, by its own help.
  static func options() throws -> [String: Set<String>] {
    let help = try Samples.run([try program(), "--experimental-dump-help"])
    let root = try JSONDecoder().decode(Help.self, from: help.output).command
    var options: [String: Set<String>] = [:]
    for command in root.subcommands ?? [] where command.commandName != "help" {
      let names = (command.arguments ?? []).flatMap { $0.names ?? [] }
      options[command.commandName] = Set(
        names.map { $0.kind == "long" ? "--\($0.name)" : "-\($0.name)" })
    }
    return options
  }

  /// Where a line of code runs the program: its words, up to what ends the command.
  private static func calls(_ line: String) -> [[String]] {
    // A comment, or an explanation beside a command, is no part of it.
    let code = line.replacing(/[ ]{2,}.*$/, with: "")
    return code.matches(of: /(?:^|[ (])ptdump-lint(?: ([^|&;<>)]*))?/).map { call in
      (call.output.1 ?? "").split(separator: " ").map(String.init)
    }
  }

  @Test func commandsAndOptionsExist() throws {
    let options = try Self.options()
    #expect(options.count > 10)
    let plain: Set = ["help", "--version", "--help", "-h"]
    var count = 0
    for page in Self.pages {
      let lines = page.code.filter { $0.text.contains("ptdump-lint") }.filter {
        $0.text.contains(/^(?:\$ |[a-z]+=\S+ |sudo |dmesg |journalctl )*ptdump-lint(?: |$)/)
          || $0.text.contains(/\| (?:sudo )?ptdump-lint[ ]/)
      }
      for line in lines {
        for words in Self.calls(line.text) {
          count += 1
          // Without a command it is check.
          let name = words.first.flatMap { options[$0] == nil ? nil : $0 } ?? "check"
          for word in words where word.contains(/^--?[a-zA-Z]/) && !plain.contains(word) {
            let option = String(word.prefix { $0 != "=" })
            #expect(
              options[name]?.contains(option) == true, "\(page.path):\(line.line): \(line.text)")
          }
          if let first = words.first, first.contains(/^[a-z]+$/), !plain.contains(first) {
            #expect(
              options[first] != nil || ["vmcore"].contains(first),
              "\(page.path):\(line.line): no command \(first)")
          }
        }
      }
    }
    #expect(count > 60)
  }

  @Test func aWrongCommandIsSeen() {
    #expect(Self.calls("dmesg | ptdump-lint fault -   # exits 1") == [["fault", "-"]])
    #expect(Self.calls("ptdump-lint rules      the rules; `explain`") == [["rules"]])
    #expect(
      Self.calls("ptdump-lint info a && ptdump-lint check --only PT2 a") == [
        ["info", "a"], ["check", "--only", "PT2", "a"],
      ])
  }
}
