/// What every command's help ends with: two examples and the exit statuses.
///
/// They are the end of the command's discussion, which the manual page prints as it is.
enum Help {
  /// The help text with its examples and exit statuses below the options.
  static func closed(_ text: String) -> String {
    guard let start = text.firstRange(of: "EXAMPLES:"), let end = text.firstRange(of: "\nUSAGE: "),
      start.lowerBound < end.lowerBound
    else { return text }
    let closing = text[start.lowerBound..<end.lowerBound].drop { $0 == "\n" }
    var rest = text
    rest.removeSubrange(start.lowerBound..<text.index(after: end.lowerBound))
    while rest.last?.isNewline == true { rest.removeLast() }
    return rest + "\n\n" + closing
  }
}
