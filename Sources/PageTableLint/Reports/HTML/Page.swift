internal import PageTables

/// What a page's script knows: what a page holds, at addresses and by names.
struct PageData: Encodable {
  struct Map: Encodable {
    /// The names of the map's element and of the one that takes its words.
    let box, say: String
    let title, base, cell: String
    /// What frames lie above addresses, modulo 2^64; nil where it is not known.
    let frames: String?
    let columns: Int
    let cells: String
    let sets: [UInt32]
    let words: [String]
  }
  var maps: [Map] = []
  /// First and last address, name, element.
  var areas: [[String]] = []
  /// First and last address, element, title.
  var finds: [[String]] = []
  /// A name or an entry, what to say of it, element.
  var words: [[String]] = []

  private static let mostFinds = 400
  private static let mostWords = 600

  mutating func add(find: [String]) { if finds.count < Self.mostFinds { finds.append(find) } }
  mutating func add(word: [String]) { if words.count < Self.mostWords { words.append(word) } }
}

/// One page: a file that needs no other.
struct Page {
  enum Verdict: String { case passed, partial, failed }

  var names = ElementNames()
  var data = PageData()
  /// The rules whose own text is on the page, and where.
  var rules: [String: String] = [:]

  /// The page as a file.
  ///
  /// - Parameter heading: what a reader sees first.
  func rendered(
    title: String, verdict: Verdict, version: String, heading: Markup, body: Markup
  ) throws -> String {
    let policy =
      "default-src 'none'; style-src 'sha256-\(PageStyle.hash)'; "
      + "script-src 'sha256-\(PageScript.hash)'; base-uri 'none'; form-action 'none'"
    let page: Markup = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="\(policy)">
      <title>\(title)</title>
      <style>\(Markup(own: PageStyle.text))</style>
      </head>
      <body>
      <a class="skip" href="#content">To the content</a>
      <header class="top \(verdict.rawValue)"><div class="w"><p class="tool">ptdump-lint \(version)</p>
      \(heading)
      <div class="ask"><label for="ask">Find an address, a frame, a symbol or an entry </label>\
      <input id="ask" type="text" spellcheck="false"><ul id="hits" aria-live="polite"></ul></div>
      </div></header>
      <main class="w" id="content">
      \(body)
      </main>
      <footer class="w"><p>One file: it asks no network for anything. Addresses in it are the kernel's own.</p></footer>
      <script type="application/json" id="data">\(try Markup.json(data))</script>
      <script>\(Markup(own: PageScript.text))</script>
      </body>
      </html>

      """
    return page.source
  }
}

extension Markup {
  /// A table of text and numbers.
  ///
  /// - Parameter rows: the first cell of each is its heading.
  static func table(_ caption: String, _ head: [String], _ rows: [[Markup]]) -> Markup {
    var lines: Markup = ""
    for row in rows {
      let heading: Markup = row.first.map { "<th scope=\"row\">\($0)</th>" } ?? ""
      let cells: [Markup] = row.dropFirst().map { cell in
        cell.source.hasPrefix("<td") ? cell : "<td>\(cell)</td>"
      }
      lines += "<tr>\(heading)\(cells)</tr>\n"
    }
    let columns: [Markup] = head.map { "<th scope=\"col\">\($0)</th>" }
    return """
      <div class="scroll" tabindex="0" role="region" aria-label="\(caption)"><table><caption>\(caption)</caption>
      <thead><tr>\(columns)</tr></thead><tbody>
      \(lines)</tbody></table></div>

      """
  }

  /// A number in a table, with the value that a program would read.
  static func number(_ text: String, _ value: UInt64, isBad: Bool = false) -> Markup {
    "<td class=\"n\(isBad ? " bad" : "")\" data-n=\"\(value)\">\(text)</td>"
  }

  /// A section with a heading; its name is that of a link to it.
  static func section(_ name: String, _ title: String, _ content: Markup, _ page: inout Page)
    -> Markup
  {
    let id = page.names.claim(name)
    return """
      <section id="\(id)" aria-labelledby="h-\(id)"><h2 id="h-\(id)">\(title)</h2>
      \(content)</section>

      """
  }
}

extension String {
  /// A word of a shell's line.
  var asShellWord: String {
    let isPlain = utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        || [0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x3a, 0x3d, 0x40, 0x5f].contains(byte)
    }
    return isPlain && !isEmpty && !hasPrefix("-")
      ? self : "'" + replacing("'", with: "'\\''") + "'"
  }

  /// The beginning of a long text, so that no line of an input fills a page.
  func shortened(_ most: Int = 400) -> String {
    utf8.count <= most ? self : String(prefix(most)) + "…"
  }
}
