import Foundation

/// A page of Markdown, as the tests of the prose look at it.
struct Page {
  struct Piece {
    let line: Int
    let text: String
  }

  /// From the project's folder on.
  let path: String
  /// Paragraphs, list items and headings, each in one line.
  private(set) var prose: [Piece] = []
  /// Cells of tables.
  private(set) var cells: [Piece] = []
  /// Lines of code, without their indentation.
  private(set) var code: [Piece] = []
  /// Lines of prose above 100 columns, but for what has no blank to be cut at.
  private(set) var wide: [Int] = []
  /// What `#` may be followed by in a link to this page.
  private(set) var anchors: Set<String> = []

  init(path: String, text: String) {
    self.path = path
    var reader = Reader()
    for (index, line) in text.components(separatedBy: "\n").enumerated() {
      reader.read(line, index + 1, into: &self)
    }
    reader.finish(&self)
  }

  /// What of the page is read before its next line.
  private struct Reader {
    private var paragraph: [String] = []
    private var start = 0
    private var isFenced = false
    private var isCode = false
    private var isList = false
    private var isAfterBlank = true

    mutating func finish(_ page: inout Page) {
      guard !paragraph.isEmpty else { return }
      page.prose.append(Piece(line: start, text: paragraph.joined(separator: " ")))
      paragraph = []
    }

    mutating func read(_ line: String, _ number: Int, into page: inout Page) {
      let text = line.trimmingCharacters(in: .whitespaces)
      defer { isAfterBlank = text.isEmpty }
      if text.hasPrefix("```") {
        finish(&page)
        isFenced.toggle()
      } else if isFenced {
        page.code.append(Piece(line: number, text: line))
      } else if text.isEmpty {
        finish(&page)
      } else if line.hasPrefix("    "), isAfterBlank || isCode, !isList {
        isCode = true
        page.code.append(Piece(line: number, text: String(line.dropFirst(4))))
      } else {
        isCode = false
        readProse(line, text, number, into: &page)
      }
    }

    private mutating func readProse(
      _ line: String, _ text: String, _ number: Int, into page: inout Page
    ) {
      if text.hasPrefix("|") {
        finish(&page)
        page.cells += text.split(separator: "|").map {
          Piece(line: number, text: $0.trimmingCharacters(in: .whitespaces))
        }
      } else if let heading = text.wholeMatch(of: /#+ (.*)/)?.1 {
        finish(&page)
        isList = false
        page.prose.append(Piece(line: number, text: String(heading)))
        page.anchors.insert(Page.anchor(String(heading)))
      } else {
        if line.count > 100, text.split(separator: " ").count > 2 { page.wide.append(number) }
        if ["![", "<!--"].contains(where: text.hasPrefix) {
          page.cells.append(.init(line: number, text: text)); return
        }
        var words = text[...]
        if let mark = text.prefixMatch(of: /(?:-|[0-9]+\.)[ ]/) {
          finish(&page)
          isList = true
          words = text[mark.range.upperBound...]
        } else if isAfterBlank, !line.hasPrefix(" ") {
          isList = false
        }
        if paragraph.isEmpty { start = number }
        paragraph.append(String(words))
      }
    }
  }

  /// As GitHub makes an anchor of a heading.
  static func anchor(_ heading: String) -> String {
    String(
      heading.lowercased().replacing("`", with: "").replacing(" ", with: "-").filter {
        $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_"
      })
  }

  /// Words alone: code is one word, and a link is its text.
  static func plain(_ text: String) -> String {
    let parts = text.components(separatedBy: "`").enumerated().map { $0 % 2 == 0 ? $1 : "CODE" }
    let links = parts.joined().components(separatedBy: "](")
    let ends = links.dropFirst().map { $0.drop { $0 != ")" }.dropFirst() }
    return String(([links[0][...]] + ends).joined().filter { !"[*".contains($0) })
  }

  /// The sentences of a piece, and how many words each has.
  static func sentences(_ text: String) -> [(text: String, words: Int)] {
    var sentences: [[Substring]] = [[]]
    for word in plain(text).split(separator: " ") {
      sentences[sentences.count - 1].append(word)
      let end = word.reversed().first { !"\"')".contains($0) }
      if let end, ".!?".contains(end) { sentences.append([]) }
    }
    return sentences.filter { !$0.isEmpty }.map { ($0.joined(separator: " "), $0.count) }
  }

  /// What links lead to, as it stands in the brackets.
  var links: [Piece] {
    (prose + cells).filter { $0.text.contains("](") }.flatMap { piece in
      piece.text.replacing(/`[^`]*`/, with: "").matches(of: /\]\(([^)\s]+)\)/).map {
        Piece(line: piece.line, text: String($0.output.1))
      }
    }
  }
}
