import Foundation
import PageTables
import Support
import Testing

/// What the program prints as JSON, against docs/schema.
@Suite struct SchemaTests {
  /// Prints a line for each document of an array: `valid`, or the first thing that is wrong.
  private static let validator = """
    import json, pathlib, sys
    from jsonschema import Draft202012Validator, RefResolver
    path = pathlib.Path(sys.argv[1])
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, resolver=RefResolver(path.as_uri(), schema))
    for document in json.loads(pathlib.Path(sys.argv[2]).read_text()):
        errors = [error.json_path + ": " + " ".join(error.message.split())[:200]
                  for error in validator.iter_errors(document)]
        print(errors[0] if errors else "valid")
    """

  private struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private static func schema(_ name: String) -> URL {
    Samples.root.appending(path: "docs/schema/\(name).schema.json")
  }

  /// The verdict on each document.
  func validate(_ documents: [Data], _ schema: String) throws -> [String] {
    let array = Data("[".utf8) + documents.joined(separator: Data(",".utf8)) + Data("]".utf8)
    let result = try Samples.withTemporaryFile { path in
      try array.write(to: URL(filePath: path))
      return try Samples.run([
        "/usr/bin/python3", "-c", Self.validator, Self.schema(schema).path, path,
      ])
    }
    let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
      .map(String.init)
    guard result.status == 0, lines.count == documents.count else {
      throw Failure(
        description: "the validator did not do its work (make test-packages installs it): "
          + lines.joined(separator: "\n"))
    }
    return lines
  }

  /// What the program beside these tests prints.
  private func output(_ arguments: [String]) throws -> Data {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let result = try Samples.run(
      ["sh", "-c", "exec \"$0\" \"$@\" 2> /dev/null", program] + arguments)
    guard [0, 1, 3].contains(result.status) else {
      throw Failure(description: "\(program) \(arguments) ended with \(result.status)")
    }
    return result.output
  }

  private func expectValid(_ schema: String, _ arguments: [String]) throws {
    #expect(try validate([output(arguments)], schema) == ["valid"], "\(arguments)")
  }

  @Test func ruleList() throws {
    try expectValid("rules", ["rules", "--format", "json"])
    let markdown = try output(["explain", "global-mixed", "--format", "markdown"])
    let page = Samples.root.appending(path: "docs/rules/PT201.md")
    #expect(try markdown == Data(contentsOf: page))
  }

  /// A filtered dump tells its level; standard input may be packed, and an image.
  @Test func aPackedImageOnStandardInput() throws {
    var options = Container.KdumpOptions()
    options.dumpLevel = 31
    let core = try RawImage.core(Samples.image("healthy"), .qemu)
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    try FormatTests.withFiles([Container.kdump(core, options)]) { paths in
      try expectValid("info", ["info", "--format", "json", paths[0]])
      for command in ["cat", "gzip -c"] {
        let result = try Samples.run([
          "sh", "-c", "\(command) \(paths[0]) | \(program) info --format json -",
        ])
        let text = String(decoding: result.output, as: UTF8.self)
        #expect(text.contains("\"dumpLevel\" : 31") && text.contains("standard input"))
        #expect(result.status == 0)
      }
    }
  }

  @Test(arguments: Samples.all)
  func samplesAreValid(_ sample: String) throws {
    let image = Samples.path(sample, "memory.elf")
    let text = Samples.path(sample, "kernel.txt")
    let log = Samples.path(sample, "kernel.log")
    try expectValid("check", ["check", "--format", "json", image])
    try expectValid("check", ["check", "--format", "json", text, "--log", log])
    try expectValid("check", ["check", "--format", "json", text])
    try expectValid("cpa", ["cpa", "--format", "json", log])
    try expectValid("cpa", ["cpa", "--format", "json", log, image])
    for input in [image, text] {
      try expectValid("info", ["info", "--format", "json", input])
      try expectValid("mappings", ["dump", "--style", "json", input])
    }
  }

  /// A guest of Xen's has facts of its own.
  @Test func aXenGuestIsValid() throws {
    let image = try Samples.imagePath("xen/dom0-6.12")
    try expectValid("check", ["check", "--format", "json", image])
    try expectValid("info", ["info", "--format", "json", image])
  }

  @Test func linesAndTwinAreValid() throws {
    let image = Samples.path("cpa-pti", "memory.elf")
    try expectValid("mappings", ["dump", "--style", "json", "--table", "user", image])
    let lines = try output(["dump", "--style", "jsonl", image]).split(separator: 10)
    #expect(lines.count > 100)
    #expect(try Set(validate(lines.map { Data($0) }, "mapping-line")) == ["valid"])
  }

  /// The other commands' documents.
  @Test func otherCommandsAreValid() throws {
    for input in [Samples.path("cpa-2008", "memory.elf"), Samples.path("healthy", "kernel.txt")] {
      try expectValid("stats", ["stats", "--format", "json", input])
      try expectValid("mappings", ["dump", "--format", "json", "--filter", "present", input])
      try expectValid("mappings", ["dump", "--format", "json", "--range", "0x0+1G", input])
    }
    let image = Samples.path("cpa-pti", "memory.elf")
    try expectValid(
      "walk",
      [
        "walk", "--format", "json", image, "_text", "0x0", "0x800000000000", "_text+2M",
        "_text+0x1",
      ])
    try expectValid(
      "rmap",
      [
        "rmap", "--format", "json", image, "0x1000000+8M", "_text", "init_top_pgt",
        "0xfffffffff000",
      ]
    )
    try expectValid("explain", ["explain", "--format", "json", "PT201"])
    try Samples.withTemporaryFile { path in
      try expectValid("extract", ["extract", "--format", "json", image, "-o", path])
    }
  }

  @Test(arguments: ["PT202", "PT301", "PT901", "PT902", "PT903"])
  func findingsAreValid(_ rule: String) throws {
    let folder = Samples.root.appending(path: "samples/rules/\(rule)").path
    let log = rule == "PT301" ? ["--log", "\(folder)/fires.log"] : []
    try expectValid("check", ["check", "--format", "json", "\(folder)/fires.txt"] + log)
  }

  /// Names of architectures, modes, levels, areas and formats are open sets.
  @Test(arguments: ["check", "info", "mappings", "diff"])
  func namesAreOpenSets(_ name: String) throws {
    let document = try JSONSerialization.jsonObject(with: Data(contentsOf: Self.schema(name)))
    func look(_ value: Any, _ key: String) {
      if let object = value as? [String: Any] {
        if ["architecture", "pagingMode", "format", "level", "area", "pageSize"].contains(key) {
          #expect(object["enum"] == nil, "\(name): \(key)")
        }
        for (key, inner) in object { look(inner, key) }
      }
      for inner in value as? [Any] ?? [] { look(inner, key) }
    }
    look(document, "")
  }

  /// What a newer program may print is valid too; what is no name is not.
  @Test(arguments: [
    ("\"elf-core\"", "\"kcore\"", true), ("\"x86-64\"", "\"arm64\"", true),
    ("\"x86-64 4-level\"", "\"arm64 16k-47\"", true), ("\"elf-core\"", "\"\"", false),
  ])
  func infoTakesOtherNames(_ right: String, _ wrong: String, _ isValid: Bool) throws {
    let printed = try output(["info", "--format", "json", Samples.path("cpa-2008", "memory.elf")])
    let text = String(decoding: printed, as: UTF8.self)
    let changed = text.replacing(right, with: wrong, maxReplacements: 1)
    #expect(changed != text)
    #expect(try (validate([Data(changed.utf8)], "info") == ["valid"]) == isValid)
  }

  @Test(arguments: [
    ("0xffff888000000000", "0xFFFF888000000000"), ("0xffff888000000000", "ffff888000000000"),
    ("\"error\"", "\"fatal\""), ("\"PT201\"", "\"201\""), ("\"global-mixed\"", "\"globalMixed\""),
    ("\"false-alarm\"", "\"falseAlarm\""), ("\"attribute-already-clear\"", "\"already-clear\""),
    ("\"value\" : \"off\"", "\"value\" : \"no\""),
  ])
  func wrongValuesAreNotValid(_ right: String, _ wrong: String) throws {
    let printed = try output(["check", "--format", "json", Samples.path("cpa-2008", "memory.elf")])
    let text = String(decoding: printed, as: UTF8.self)
    let changed = text.replacing(right, with: wrong, maxReplacements: 1)
    #expect(changed != text)
    #expect(try validate([Data(changed.utf8)], "check") != ["valid"])
  }

  /// Each key of each object removed, an unknown key added to it, each value given another type:
  /// only what may be left out may be missing.
  @Test(
    arguments: [
      ("check", ["check", "--format", "json"]), ("info", ["info", "--format", "json"]),
      ("mappings", ["dump", "--style", "json"]), ("cpa", ["cpa", "--format", "json"]),
      ("check", ["check", "--format", "json", "--baseline", baseline]),
      ("diff", ["diff", "--format", "json", Samples.path("healthy-pti", "memory.elf")]),
    ], ["cpa-2008", "faults"])
  func wrongDocumentsAreNotValid(
    _ what: (schema: String, arguments: [String]), _ sample: String
  ) throws {
    let schema = what.schema
    let printed = try output(what.arguments + [Samples.path(sample, "memory.elf")])
    let document = Self.shortened(try JSONSerialization.jsonObject(with: printed))
    let changes = Self.changes(of: document)
    #expect(changes.count > 20)
    let documents = try ([document] + changes.map(\.document)).map {
      try JSONSerialization.data(withJSONObject: $0)
    }
    let verdicts = try validate(documents, schema)
    #expect(verdicts.first == "valid")
    for (change, verdict) in zip(changes, verdicts.dropFirst()) {
      #expect((verdict == "valid") == change.isAllowed, "\(change.what): \(verdict)")
    }
  }

  /// Reports with and without an address; what tables show has a place always.
  @Test func reportsOfTheLog() throws {
    let logs = Samples.root.appending(path: "samples/logs").path
    for name in ["F15-bad-pmd-without-address.txt", "F20-log-alone.txt"] {
      let printed = try output(["check", "--format", "json", "\(logs)/\(name)"])
      #expect(try validate([printed], "check") == ["valid"])
      let text = String(decoding: printed, as: UTF8.self)
      #expect(text.contains("\"range\"") == !name.hasPrefix("F15"))
      let other = Data(text.replacing(/PT80[12]/, with: "PT502").utf8)
      #expect(try (validate([other], "check") == ["valid"]) == !name.hasPrefix("F15"))
    }
  }

  private static let baseline = Samples.path("cpa-2008", "known.json")

  /// What may be left out, by the end of its path.
  private static let optional = [
    ".places", ".directMapTables", ".owner", ".root", ".memoryMap",
    "$.baseline", "findings[0].walk", "Findings[0].walk", "walk[0].owner", "findings[0].known",
    "Findings[0].level", "Findings[0].entry",
    "Findings[0].physical", "changes[0].offset", "changes[0].old", "changes[0].new", "old.range",
    "new.range", "old.pageSize", "new.pageSize", "old.effective", "new.effective", "old.physical",
    "new.physical", "$.cpaSelfTest", "$.faults",
    "$.statistics", "faults[0].last", "faults[0].hint",
    "faults[0].reported", "reported.pgd", "reported.p4d", "reported.pud", "reported.pmd",
    "reported.pte", "faults[0].judgedBy", "faults[0].tablesCause", "faults[0].tablesLevel",
    "faults[0].address", "faults[0].errorCode",
    "faults[0].access",
    "faults[0].instruction", "faults[0].cause", "faults[0].level", "faults[0].area",
    "faults[0].symbol", "faults[0].tableOwner", ".release", "findings[0].level",
    "findings[0].entry", "findings[0].physical",
    "failures[0].entry", "failures[0].level", "mappings[0].physical", "mappings[0].symbol",
    "mappings[0].pageSize",
  ]

  /// Of each array the element that says most.
  private static func shortened(_ value: Any) -> Any {
    if let object = value as? [String: Any] { return object.mapValues(shortened) }
    guard let array = value as? [Any] else { return value }
    func keys(_ value: Any) -> Int { (value as? [String: Any])?.count ?? 0 }
    // A report of the log may leave out more.
    let ofTables = array.filter {
      (($0 as? [String: Any])?["rule"] as? String)?.hasPrefix("PT8") != true
    }
    return (ofTables.isEmpty ? array : ofTables).max { keys($0) < keys($1) }.map { [shortened($0)] }
      ?? []
  }

  private typealias Change = (what: String, document: Any, isAllowed: Bool)

  private static func changes(of value: Any, at path: String = "$") -> [Change] {
    if let array = value as? [Any] {
      return [(what: "\(path): no array", document: [String: Any](), isAllowed: false)]
        + array.prefix(1).flatMap { changes(of: $0, at: "\(path)[0]") }
        .map { (what: $0.what, document: [$0.document], isAllowed: $0.isAllowed) }
    }
    guard let object = value as? [String: Any] else {
      return [(what: "\(path): a list", document: [value], isAllowed: false)]
    }
    var found: [Change] = [
      (
        what: "\(path): a key too many", document: object.merging(["unknown": 1]) { $1 },
        isAllowed: false
      )
    ]
    // A report of the log may name no place.
    let isReport = (object["rule"] as? String)?.hasPrefix("PT8") ?? false
    for (key, inner) in object.sorted(by: { $0.key < $1.key }) {
      var without = object
      without[key] = nil
      found.append(
        (
          what: "\(path): no \(key)", document: without,
          isAllowed: path.hasSuffix(".facts") || path.hasSuffix("faults[0].reported")
            || isReport && ["table", "area", "range", "pages"].contains(key)
            || optional.contains { "\(path).\(key)".hasSuffix($0) }
        ))
      found += changes(of: inner, at: "\(path).\(key)").map { change in
        (
          what: change.what, document: object.merging([key: change.document]) { $1 },
          isAllowed: change.isAllowed
        )
      }
    }
    return found
  }
}
