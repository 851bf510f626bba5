extension String {
  /// Without control characters, which a log's quotes may hold and XML forbids; line ends stay.
  package var printable: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.map { scalar in
          scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
            || scalar.value & 0xfffe == 0xfffe ? "\u{fffd}" : scalar
        }))
  }

  /// The same in one line: a blank for each line's end.
  package var oneLine: String {
    utf8.contains { $0 == 0x0a || $0 == 0x0d }
      ? String(map { $0.isNewline ? " " : $0 }) : self
  }

  /// One line of at most `most` characters for a quote: a control character becomes `?`.
  package func quotable(most: Int = 160) -> String {
    let head = utf8.prefix(most)
    if head.allSatisfy({ (0x20..<0x7f).contains($0) }) { return String(Substring(head)) }
    return String(
      unicodeScalars.prefix(most).map {
        $0.value < 32 || (127..<160) ~= $0.value ? "?" : Character($0)
      })
  }

  /// Text that a terminal or a CI system's log shows and does not obey.
  ///
  /// Control characters and those that turn a text's direction become U+FFFD, but for line ends, tabs
  /// and the report's own colours. What
  /// GitHub, Azure and TeamCity take for a command (`::error::`, `##[group]`, `##vso[`) gets a blank.
  ///
  /// Source: `ActionCommand.cs` of GitHub's runner: `::` after blanks, `##[` anywhere in a line.
  package func harmless(keepingColor: Bool = false) -> String {
    let bytes = utf8
    guard
      bytes.contains(where: { $0 < 0x20 && $0 != 0x0a || $0 > 0x7e }) || mentions("::")
        || mentions("##")
    else { return self }
    var scalars = String.UnicodeScalarView()
    var rest = unicodeScalars[...]
    // Whether the line has blanks alone so far.
    var isStart = true
    while let scalar = rest.popFirst() {
      if scalar == "\u{1b}", keepingColor, let color = rest.colorCode {
        scalars.append(scalar)
        scalars.append(contentsOf: rest.prefix(color))
        rest = rest.dropFirst(color)
        continue
      }
      let isControl = scalar.properties.generalCategory == .control || scalar.turnsText
      scalars.append(isControl && scalar != "\n" && scalar != "\t" ? "\u{fffd}" : scalar)
      let next = rest.first
      if isStart, scalar == ":", next == ":" { scalars.append(" ") }
      if scalar == "#", next == "[" || next?.properties.isAlphabetic == true,
        scalars.dropLast().last == "#"
      {
        scalars.append(" ")
      }
      isStart = scalar == "\n" || isStart && (isControl || scalar.properties.isWhitespace)
    }
    return String(scalars)
  }

  /// JSON whose strings hold no character that a terminal obeys: the encoder leaves U+007F to U+009F,
  /// and those that turn a text's direction.
  package var harmlessJSON: String {
    guard utf8.contains(where: { $0 == 0x7f || $0 == 0xc2 || $0 == 0xe2 }) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if (0x7f...0x9f).contains(scalar.value) || scalar.turnsText {
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

extension Unicode.Scalar {
  /// Whether it changes the direction of what follows, so that another text is read.
  fileprivate var turnsText: Bool {
    (0x202a...0x202e).contains(value) || (0x2066...0x2069).contains(value)
  }
}

extension Substring.UnicodeScalarView {
  /// How many characters of `[31m` follow an escape; nil where something else does.
  fileprivate var colorCode: Int? {
    guard first == "[", let end = firstIndex(of: "m") else { return nil }
    let digits = self[index(after: startIndex)..<end]
    guard digits.count <= 2, digits.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
    return digits.count + 2
  }
}

extension [String] {
  /// A line each, whatever names of the input they quote.
  package var asLines: String { map(\.oneLine).joined(separator: "\n") + "\n" }
}
