import Foundation
import KernelText
import PageTableLint
import PageTables
import Support
import Testing

/// The pages of `--format html`: well-formed, closed to the network, escaped, bounded, and of the same
/// figures as the JSON reports.
@Suite struct PageTests {
  /// A tag, an attribute and the text of a page, read without a browser.
  struct Element {
    let name: String
    let attributes: [String: String]
    /// All text in it.
    var text = ""
  }

  private struct Broken: Error { let what: String }

  /// A page's elements in order, each with its text; throws where tags do not pair.
  static func elements(_ page: String) throws -> [Element] {
    var elements: [Element] = []
    var open: [Int] = []
    let void: Set = ["meta", "input", "br"]
    var rest = page[...]
    while let start = rest.firstIndex(of: "<") {
      let text = String(rest[..<start])
      for index in open { elements[index].text += text }
      if open.last.map({ ["style", "script"].contains(elements[$0].name) }) == true,
        !rest[start...].hasPrefix("</")
      {
        for index in open { elements[index].text += "<" }
        rest = rest[rest.index(after: start)...]
        continue
      }
      guard let end = rest[start...].firstIndex(of: ">") else { throw Broken(what: "no >") }
      let tag = rest[rest.index(after: start)..<end]
      rest = rest[rest.index(after: end)...]
      if tag.hasPrefix("!doctype") { continue }
      if tag.hasPrefix("/") {
        guard let last = open.popLast(), elements[last].name == tag.dropFirst() else {
          throw Broken(what: "</\(tag)> closes another element")
        }
        continue
      }
      let name = String(tag.prefix { !$0.isWhitespace && $0 != "/" })
      var attributes: [String: String] = [:]
      for match in tag.matches(of: /([a-zA-Z-]+)="([^"]*)"/) {
        let key = String(match.1)
        if attributes[key] != nil { throw Broken(what: "\(key) twice in <\(tag)>") }
        attributes[key] = String(match.2)
      }
      elements.append(Element(name: name, attributes: attributes))
      if !tag.hasSuffix("/"), !void.contains(name) { open.append(elements.count - 1) }
    }
    if let last = open.last { throw Broken(what: "<\(elements[last].name)> is not closed") }
    return elements
  }

  /// Pages of all kinds: arguments of the program.
  static let pages: [[String]] = [
    ["check", "samples/cpa-2008/memory.elf"], ["check", "samples/healthy-pti/memory.elf"],
    ["check", "samples/healthy-5level/kernel.txt"], ["check", "samples/faults/kernel.log"],
    [
      "check", "samples/cpa-2008/memory.elf", "samples/healthy/kernel.txt",
      "samples/cpa-2008/memory.elf",
    ],
    ["diff", "samples/healthy/memory.elf", "samples/cpa-2008/memory.elf"],
    ["diff", "samples/healthy/memory.elf", "samples/healthy/kernel.txt"],
    ["fault", "samples/faults/kernel.log", "samples/faults/memory.elf"],
  ]

  static func page(_ arguments: [String]) throws -> String {
    try ProgramRun([arguments[0], "--format", "html"] + arguments.dropFirst()).output
  }

  @Test(arguments: pages) func isWellFormedAndClosed(_ arguments: [String]) throws {
    let page = try Self.page(arguments)
    let elements = try Self.elements(page)
    #expect(elements.first?.name == "html" && elements.count > 40)
    let ids = elements.compactMap { $0.attributes["id"] }
    #expect(Set(ids).count == ids.count)
    // Links lead to places of the page, and nothing else is fetched.
    for element in elements {
      for key in ["href", "src", "action", "style", "onclick", "data"] {
        guard let value = element.attributes[key] else { continue }
        #expect(key == "href" && value.hasPrefix("#"), "\(element.name) \(key)=\(value)")
        #expect(ids.contains(String(value.dropFirst())), "\(value) leads nowhere")
      }
      for key in ["aria-labelledby", "for"] {
        if let value = element.attributes[key] { #expect(ids.contains(value)) }
      }
    }
    #expect(!page.contains("http:") || page.contains("http://www.w3.org/2000/svg"))
    for name in ["h1", "main", "header", "footer"] {
      #expect(elements.count { $0.name == name } >= 1)
    }
    #expect(elements.count { $0.name == "h1" } == 1)
    #expect(page.utf8.count < 400_000)
  }

  /// The policy names what is there: a page with another style or script would be dead.
  @Test func policyHoldsTheHashes() throws {
    let elements = try Self.elements(Self.page(Self.pages[0]))
    let policy = try #require(
      elements.first { $0.attributes["http-equiv"] == "Content-Security-Policy" })
    let content = try #require(policy.attributes["content"])
    #expect(content.contains("default-src &#39;none&#39;") && !content.contains("unsafe"))
    for name in ["style", "script"] {
      let text = try #require(
        elements.last { $0.name == name && $0.attributes["type"] == nil }?.text)
      let hash = try Samples.withTemporaryFile { path in
        try Data(text.utf8).write(to: URL(filePath: path))
        return try Samples.run([
          "/usr/bin/python3", "-c",
          "import base64, hashlib, sys; print(base64.b64encode(hashlib.sha256("
            + "open(sys.argv[1], 'rb').read()).digest()).decode())", path,
        ])
      }
      let wanted = String(decoding: hash.output, as: UTF8.self).trimmingCharacters(in: .newlines)
      #expect(content.contains("\(name)-src &#39;sha256-\(wanted)&#39;"), "\(name): \(wanted)")
    }
  }

  // MARK: - Figures

  private static func numbers(_ elements: [Element], in id: String) throws -> [UInt64] {
    guard let first = elements.firstIndex(where: { $0.attributes["id"] == id }) else {
      throw Broken(what: "no \(id)")
    }
    let after = elements[(first + 1)...]
    return after.prefix { $0.name != "section" }.compactMap {
      $0.attributes["data-n"].flatMap { UInt64($0) }
    }
  }

  /// What the page says in numbers is what `check` and `stats` say in JSON.
  @Test(arguments: ["cpa-2008", "healthy-5level"]) func figuresAreThoseOfTheJSON(
    _ sample: String
  ) throws {
    let path = "samples/\(sample)/memory.elf"
    let elements = try Self.elements(Self.page(["check", path]))
    let stats = try ProgramRun(["stats", "--format", "json", path]).json()
    let check = try ProgramRun(["check", "--format", "json", path]).json()
    // The matrix.
    let kinds = [(true, false), (true, true), (false, false), (false, true)]
    var wanted: [UInt64] = [(stats["writableExecutablePages"] as? UInt64) ?? 0]
    for area in stats["areas"] as? [[String: Any]] ?? [] {
      let protections = area["protections"] as? [[String: Any]] ?? []
      wanted += kinds.map { kind in
        protections.first {
          $0["write"] as? Bool == kind.0 && $0["execute"] as? Bool == kind.1
        }?["bytes"] as? UInt64 ?? 0
      }
    }
    #expect(try Self.numbers(elements, in: "matrix") == wanted)
    #expect(wanted.count > 20)
    // The direct map: pages by size, then splits.
    let map = try #require(stats["directMap"] as? [String: Any])
    let pages = (map["pages"] as? [[String: Any]] ?? []).reversed().compactMap {
      $0["count"] as? UInt64
    }
    let splits = (map["splits"] as? [[String: Any]] ?? []).compactMap { $0["count"] as? UInt64 }
    let shown = try Self.numbers(elements, in: "direct-map")
    #expect(Array(shown.prefix(pages.count + splits.count)) == pages + splits)
    // Whose they are adds up to the places of 2 MiB.
    let small = (map["splits"] as? [[String: Any]] ?? []).filter {
      $0["pageSize"] as? UInt64 == 2 << 20
    }.compactMap { $0["count"] as? UInt64 }.reduce(0, +)
    let statistics = try #require((check["statistics"] as? [[String: Any]])?.first)
    let owners = (statistics["directMapTables"] as? [[String: Any]] ?? []).compactMap {
      $0["bytes"] as? UInt64
    }
    #expect(!owners.isEmpty && Array(shown.suffix(owners.count)) == owners)
    #expect(
      shown.dropFirst(pages.count + splits.count).dropLast(owners.count).reduce(0, +) == small)
    // Each finding, with its pages and its way.
    let findings = check["findings"] as? [[String: Any]] ?? []
    let articles = elements.filter { $0.name == "article" }
    #expect(articles.count == findings.count)
    for (article, finding) in zip(articles, findings) {
      let fingerprint = finding["fingerprint"] as? String ?? ""
      #expect(
        article.attributes["id"] == "\(finding["rule"] ?? "")-\(fingerprint.prefix(8))")
      #expect(article.text.contains(fingerprint))
      for step in finding["walk"] as? [[String: Any]] ?? [] {
        #expect(article.text.contains("[\(step["index"] ?? "")] \(step["entry"] ?? "")"))
        #expect(article.text.contains("in \(step["owner"] as? String ?? "")"))
      }
    }
    let summary = try #require(check["summary"] as? [String: Any])
    let said = try #require(elements.first { $0.attributes["id"] == "summary" }).text
    #expect(
      said.contains("\(summary["errors"] ?? "") errors, \(summary["warnings"] ?? "") warnings"))
    #expect(
      said.contains(
        "in \(summary["rulesRun"] ?? "") rules (\(summary["rulesSkipped"] ?? "") skipped)"))
  }

  /// In 2008 the first GiB of the direct map had come to stand in a static table.
  @Test func theTablesOfTheDirectMapHaveTheirOwners() throws {
    let path = "samples/cpa-2008/memory.elf"
    let check = try ProgramRun(["check", "--format", "json", path]).json()
    let statistics = try #require((check["statistics"] as? [[String: Any]])?.first)
    let owners = statistics["directMapTables"] as? [[String: Any]] ?? []
    let dump = try ProgramRun([
      "dump", "--style", "json", "--range", "0xffff888000000000+1G", path,
    ]).json()
    let large = (dump["mappings"] as? [[String: Any]] ?? []).filter {
      $0["level"] as? String == "pmd" && $0["kind"] as? String != "hole"
    }
    let bytes = large.compactMap { $0["size"] as? UInt64 }.reduce(0, +)
    #expect(bytes > 100 << 20)
    #expect(
      owners.first { $0["owner"] as? String == "level2_ident_pgt" }?["bytes"] as? UInt64 == bytes)
    let pages = (statistics["directMap"] as? [String: Any])?["pages"] as? [[String: Any]] ?? []
    let mapped = pages.reduce(UInt64(0)) {
      $0 + ($1["pageSize"] as? UInt64 ?? 0) * ($1["count"] as? UInt64 ?? 0)
    }
    #expect(owners.compactMap { $0["bytes"] as? UInt64 }.reduce(0, +) == mapped)
    #expect(try Self.page(["check", path]).contains("<code>level2_ident_pgt</code>"))
  }

  @Test func whatOthersDrawIsInTheJSON() throws {
    let path = "samples/healthy-pti/memory.elf"
    let check = try ProgramRun(["check", "--format", "json", path]).json()
    let statistics = try #require((check["statistics"] as? [[String: Any]])?.first)
    let tables = statistics["tables"] as? [[String: Any]] ?? []
    let input = try #require((check["inputs"] as? [[String: Any]])?.first)
    #expect(tables.compactMap { $0["table"] as? String } == input["tables"] as? [String])
    #expect(tables.count == 2 && tables.allSatisfy { $0["root"] != nil })
    let map = statistics["memoryMap"] as? [[String: Any]] ?? []
    #expect(map.contains { $0["name"] as? String == "System RAM" })
    // The places of a finding add up to its pages.
    for finding in check["findings"] as? [[String: Any]] ?? [] {
      guard let places = finding["places"] as? [[String: String]] else { continue }
      let range = finding["range"] as? [String: String]
      #expect(places.first?["start"] == range?["start"] && places.last?["end"] == range?["end"])
    }
  }

  @Test func findingsHaveTheirWalk() throws {
    let path = "samples/cpa-2008/memory.elf"
    let check = try ProgramRun(["check", "--format", "json", path]).json()
    let finding = try #require(
      (check["findings"] as? [[String: Any]])?.first { $0["rule"] as? String == "PT201" })
    let steps = try #require(finding["walk"] as? [[String: Any]])
    let walk = try ProgramRun(["walk", "--format", "json", path, "0xffff888000000000"]).json()
    let wanted = try #require(
      (walk["walks"] as? [[String: Any]])?.first?["steps"] as? [[String: Any]])
    #expect(steps.count == wanted.count)
    for (step, other) in zip(steps, wanted) {
      for key in ["level", "index", "table", "entry", "owner"] {
        #expect("\(step[key] ?? "")" == "\(other[key] ?? "")")
      }
    }
  }

  @Test func changesAreThoseOfTheJSON() throws {
    let inputs = Array(Self.pages[5].dropFirst())
    let json = try ProgramRun(["diff", "--format", "json"] + inputs).json()
    let elements = try Self.elements(Self.page(["diff"] + inputs))
    let changes = json["changes"] as? [[String: Any]] ?? []
    let shown = try Self.numbers(elements, in: "changes")
    #expect(shown.first == UInt64(changes.count))
    // Sizes and places in turn.
    let rows = shown.dropFirst()
    let places = rows.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    let sizes = rows.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    #expect(places.reduce(0, +) == UInt64(changes.count))
    #expect(sizes.reduce(0, +) == changes.compactMap { $0["size"] as? UInt64 }.reduce(0, +))
    let new = (json["newFindings"] as? [[String: Any]])?.count ?? 0
    #expect(new > 0 && elements.count { $0.name == "article" } == new)
  }

  @Test func reportsAreThoseOfTheJSON() throws {
    let inputs = Array(Self.pages[7].dropFirst())
    let json = try ProgramRun(["fault", "--format", "json"] + inputs).json()
    let faults = json["faults"] as? [[String: Any]] ?? []
    let elements = try Self.elements(Self.page(["fault"] + inputs))
    let lines = elements.compactMap { $0.attributes["id"] }.filter { $0.hasPrefix("line-") }
    #expect(lines == faults.map { "line-\($0["line"] ?? "")" } && lines.count > 5)
    let walk = try ProgramRun(["walk", "--fault", "--format", "json", inputs[0]])
    #expect(walk.status == 1)
  }

  // MARK: - Safety

  @Test func namesOfInputsAreNoMarkup() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let evil = "</title></script><img src=x onerror=alert(1)>&'\"\u{202e}"
    let dump = folder.appending(path: evil.replacing("/", with: "|") + ".txt")
    try Data(Samples.text("writable-executable", "kernel.txt").utf8).write(to: dump)
    let log = folder.appending(path: "log")
    try Data(
      Samples.text("writable-executable", "kernel.log")
        .replacing("Found insecure W+X mapping", with: "\(evil) Found insecure W+X mapping").utf8
    ).write(to: log)
    let page = try ProgramRun(["check", "--format", "html", "--log", log.path, dump.path]).output
    let elements = try Self.elements(page)
    #expect(!elements.contains { $0.name == "img" })
    #expect(elements.count { $0.name == "script" } == 2)
    #expect(page.contains("&lt;img src=x onerror=alert(1)&gt;&amp;"))
    #expect(!page.unicodeScalars.contains("\u{202e}"))
  }

  /// A direct map of 512 GiB, as fragmented as can be: within the bounds, and no alarm is lost.
  @Test func aFragmentedMapStaysSmall() throws {
    let dump = try Samples.text("cpa-2008", "kernel.txt")
    let first = try #require(dump.firstRange(of: "---[ Low Kernel Mapping ]---\n"))
    let last = try #require(dump.firstRange(of: "---[ vmalloc() Area ]---"))
    var lines = String(dump[..<first.upperBound])
    lines.reserveCapacity(30 << 20)
    let base: UInt64 = 0xffff_8880_0000_0000
    let count = 100_000
    // Places of 2M and of 4K pages in turn, each as far from the next as 512 GiB allow.
    let stride: UInt64 = (512 << 30) / UInt64(count) & ~((2 << 20) - 1)
    var at = base
    for index in 0..<count {
      let isAlarm = index == 77_777
      let middle = at + (2 << 20)
      let flags = index % 3 == 0 ? "    " : "GLB "
      let end = at + stride
      lines +=
        "0x\(String(at, radix: 16))-0x\(String(middle, radix: 16))           2M     RW         PSE     \(flags)\(isAlarm ? "x " : "NX") pmd\n"
      lines +=
        "0x\(String(middle, radix: 16))-0x\(String(end, radix: 16))           \((end - middle) >> 20)M                              pmd\n"
      at = end
    }
    let vmalloc: UInt64 = 0xffff_c900_0000_0000
    lines +=
      "0x\(String(at, radix: 16))-0x\(String(vmalloc, radix: 16)) \((vmalloc - at) >> 20)M    pud\n"
    lines += dump[last.lowerBound...]
    let page = try FormatTests.withFiles([Array(lines.utf8)]) { paths in
      try ProgramRun(["check", "--format", "html", "--only", "PT001,PT004", paths[0]]).output
    }
    #expect(page.utf8.count < 400_000)
    let elements = try Self.elements(page)
    let data = try #require(elements.first { $0.attributes["id"] == "data" }).text
    let json = try JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any]
    let map = try #require((json?["maps"] as? [[String: Any]])?.first)
    let sets = map["sets"] as? [Int] ?? []
    #expect(sets.count { $0 & 1 << 5 != 0 } >= 1)
    let layer = try #require(page.firstRange(of: "<g class=\"ly ly-perm\">"))
    #expect(page[layer.upperBound...].prefix { $0 != "Z" }.contains("class=\"s wx\""))
  }
}

/// The documentation's pictures are of the pages that the program makes today; `make pictures` takes them.
@Suite struct PictureTests {
  private static let lines =
    (try? String(
      contentsOf: Samples.root.appending(path: "docs/pictures.txt"), encoding: .utf8))?
    .split(separator: "\n").map(String.init) ?? []

  @Test func isThere() { #expect(Self.lines.count == 3) }

  @Test(arguments: lines) func isOfTodaysPage(_ line: String) throws {
    let fields = line.split(separator: " ", maxSplits: 2).map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    let picture = Samples.root.appending(path: "docs/\(fields[1])").path
    #expect(FileManager.default.fileExists(atPath: picture))
    let sum = try ProgramRun.shell("cd \"$1\" && \"$0\" \(fields[2]) | sha256sum")
    #expect(sum.output.hasPrefix(fields[0]), "\(fields[1]) is stale: make pictures")
  }
}
