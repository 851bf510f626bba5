extension String {
  /// Broken between words into lines of at most so many columns, but for words that are longer.
  ///
  /// - Parameters:
  ///   - first: what stands before the first line.
  ///   - further: what stands before the others.
  func wrapped(to width: Int, first: String, further: String) -> String {
    var lines: [String] = []
    var line = first
    var column = first.columns
    var isEmpty = true
    for word in split(separator: " ") {
      if !isEmpty, column + 1 + word.columns > width {
        lines.append(line)
        line = further
        column = further.columns
        isEmpty = true
      }
      line += isEmpty ? word : " \(word)"
      column += word.columns + (isEmpty ? 0 : 1)
      isEmpty = false
    }
    return (lines + [line]).joined(separator: "\n")
  }

  /// The same, with the indent of the line, and two more from the second line on.
  func wrapped(to width: Int) -> String {
    let indent = String(prefix { $0 == " " })
    return wrapped(to: width, first: indent, further: indent + "  ")
  }
}

extension String {
  /// The lines of a paragraph as one, for what breaks lines itself; items of a list stay apart.
  var reflowed: String {
    var lines: [String] = []
    for line in split(separator: "\n", omittingEmptySubsequences: false) {
      let isNew = line.isEmpty || line.hasPrefix("- ") || lines.last?.isEmpty != false
      if isNew {
        lines.append(String(line))
      } else {
        lines[lines.count - 1] += " " + line.drop { $0 == " " }
      }
    }
    return lines.joined(separator: "\n")
  }
}

extension StringProtocol {
  /// The columns that it takes on a terminal; colours take none.
  var columns: Int {
    guard contains("\u{1b}") else { return count }
    var count = 0
    var isCode = false
    for character in self {
      if character == "\u{1b}" { isCode = true }
      if !isCode { count += 1 }
      if isCode, character == "m" { isCode = false }
    }
    return count
  }
}
