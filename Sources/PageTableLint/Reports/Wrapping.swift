extension String {
  /// Broken between words into lines of at most so many columns, but for words that are longer.
  ///
  /// Several blanks between two words of a line stay: columns of a table.
  ///
  /// - Parameters:
  ///   - first: what stands before the first line.
  ///   - further: what stands before the others.
  func wrapped(to width: Int, first: String, further: String) -> String {
    var lines: [String] = []
    var line = first
    var column = first.columns
    var isEmpty = true
    var blanks = 0
    for word in split(separator: " ", omittingEmptySubsequences: false) {
      blanks += 1
      guard !word.isEmpty else { continue }
      if !isEmpty, column + blanks + word.columns > width {
        lines.append(line)
        line = further
        column = further.columns
        isEmpty = true
      }
      if !isEmpty {
        line += String(repeating: " ", count: blanks)
        column += blanks
      }
      line += word
      column += word.columns
      isEmpty = false
      blanks = 0
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
  ///
  /// - Parameter isStart: whether a line begins a paragraph, too.
  func reflowed(where isStart: (Substring) -> Bool = { _ in false }) -> String {
    var lines: [String] = []
    for line in split(separator: "\n", omittingEmptySubsequences: false) {
      let isNew =
        line.isEmpty || line.hasPrefix("- ") || lines.last?.isEmpty != false || isStart(line)
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
