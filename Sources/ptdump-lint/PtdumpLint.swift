import ArgumentParser
import Confinement
import Glibc
import MemoryImages
import PageTableLint

let version = "0.1.0"

@main
struct PtdumpLint: ParsableCommand {
  // Each command says its name: to make one of its type's takes a third of the start.
  static let configuration = CommandConfiguration(
    commandName: "ptdump-lint",
    abstract: "Reads a Linux kernel's page tables and says what is wrong with them.",
    discussion: """
      EXAMPLES:
        dmesg | ptdump-lint fault -
        ptdump-lint check vmcore
        sudo ptdump-lint

      EXIT STATUS:
        0  Read whole; nothing at or above --fail-on (warning) was found.
        1  Findings at or above --fail-on; of diff, differences.
        2  Not analysed: wrong usage, unreadable input, no such table.
        3  Analysed in part, and nothing was found in the rest.
      """,
    version: version,
    subcommands: commands,
    // The parser looks at all options of the default one, even where another is named.
    defaultSubcommand: isNamed ? nil : Check.self)

  private static let commands: [any ParsableCommand.Type] = [
    Check.self, FaultCommand.self, CPA.self, Decode.self, Dump.self, Walk.self, Rmap.self,
    Stats.self, Info.self, Diff.self, ExtractCommand.self, Rules.self, Explain.self,
  ]

  /// Whether the first word is a command's name.
  private static var isNamed: Bool {
    commands.contains { $0._commandName == CommandLine.arguments.dropFirst().first }
  }

  /// Runs the command; wrong usage exits with 2, as the contract wants.
  static func main() {
    // A mapped file that shrinks while it is read.
    signal(SIGBUS) { _ in
      complain("ptdump-lint: an input shrank while it was read: copy it first, and try again")
      _exit(2)
    }
    // A limit of the size of files is an error of writing, with its line.
    signal(SIGXFSZ, SIG_IGN)
    let words = Array(CommandLine.arguments.dropFirst())
    if let refusal = Suggestion.refusal(of: words) {
      complain("Error: \(refusal)")
      Glibc.exit(2)
    }
    do {
      do {
        // The parser takes three quarters of a start to find that out.
        if words == ["--version"] { return try writeOut(Array("\(version)\n".utf8)) }
        var command = try parseAsRoot()
        if let command = command as? any ReadsInputs {
          if !command.noConfinement {
            Confinement.enter(
              reading: command.reads, writing: command.writes,
              mayStartConfined: command.judgesApart)
          }
          if !command.judgesApart { Progress.shared.start() }
        }
        defer { Progress.shared.end() }
        try command.run()
      } catch  where exitCode(for: error) == .success && !(error is ExitCode) {
        try writeOut(Array((Help.closed(fullMessage(for: error)) + "\n").utf8))
      }
    } catch let status as ExitCode {
      Self.exit(withError: status)
    } catch let error as ImageError {
      complain("\(error)")
      Glibc.exit(2)
    } catch let error as UsageError {
      complain("Error: \(error)")
      Glibc.exit(2)
    } catch {
      complain(fullMessage(for: error))
      Glibc.exit(2)
    }
  }
}

enum FailOn: String, ExpressibleByArgument, CaseIterable {
  case error, warning, note, never
  var severity: Severity? { Severity(rawValue: rawValue) }
}

/// A command whose inputs may be hostile: it says what it reads and writes.
protocol ReadsInputs {
  var reads: [String] { get }
  var writes: [String] { get }
  var noConfinement: Bool { get }
  /// Whether a process of its own reads each input.
  var judgesApart: Bool { get }
}

extension ReadsInputs {
  var judgesApart: Bool { false }
}
