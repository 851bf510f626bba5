import ArgumentParser

/// What every command's help ends with: two examples and the exit statuses.
enum Help {
  private static let heading = "EXAMPLES:"

  /// A command's discussion: `text`, then the examples and statuses that close its help.
  ///
  /// The manual page prints a discussion as it is; ``closed(_:)`` moves its end below the options.
  static func discussion(
    _ text: String = "", examples: [String], statuses: [Int: String]
  ) -> String {
    let commands = examples.map { "  \($0)" }.joined(separator: "\n")
    let meanings = statuses.sorted { $0.key < $1.key }.map { "  \($0.key)  \($0.value)" }
    return (text.isEmpty ? "" : text + "\n\n")
      + "\(heading)\n\(commands)\n\nEXIT STATUS:\n\(meanings.joined(separator: "\n"))"
  }

  /// The help text with its examples and exit statuses at the end.
  static func closed(_ text: String) -> String {
    guard let start = text.firstRange(of: heading), let end = text.firstRange(of: "\nUSAGE: "),
      start.lowerBound < end.lowerBound
    else { return text }
    let closing = text[start.lowerBound..<end.lowerBound].drop { $0 == "\n" }
    var rest = text
    rest.removeSubrange(start.lowerBound..<text.index(after: end.lowerBound))
    while rest.last?.isNewline == true { rest.removeLast() }
    return rest + "\n\n" + closing
  }
}
