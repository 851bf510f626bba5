import ArgumentParser
import Glibc

/// What is said to a word that names no command and no file.
enum Suggestion {
  /// The names of all commands.
  private static var commands: [String] {
    PtdumpLint.configuration.subcommands.map { $0._commandName } + ["help"]
  }

  /// Why the first words of a command line cannot be meant; nil where they can.
  ///
  /// The first word that is no command is an input of `check`, so that a mistyped command would only
  /// be a file that cannot be opened.
  static func refusal(of arguments: [String]) -> String? {
    guard let first = arguments.first, !first.hasPrefix("-") else { return nil }
    if first == "help" {
      guard let topic = arguments.dropFirst().first, !topic.hasPrefix("-"),
        !commands.contains(topic)
      else { return nil }
      return "no command is named \(topic)"
        + (near(topic).map { "; did you mean ptdump-lint help \($0)?" }
          ?? "; ptdump-lint --help lists them")
    }
    guard !commands.contains(first), unsafe access(first, F_OK) != 0, let command = near(first)
    else { return nil }
    return "no command and no file is named \(first); did you mean ptdump-lint \(command)?"
  }

  /// The command that differs in one letter, added, left out or another, or in two that changed places.
  private static func near(_ word: String) -> String? {
    commands.first { $0.first == word.first && $0.difference(from: word).count <= 2 }
  }
}
