import Foundation
import PageTables
import Testing

/// The house as docs/design.md draws it: who may import whom, where x86 may be named, how long files are.
@Suite struct HouseTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// From the ground up: each module may import those before it.
  private static let modules = [
    "Confinement", "PageTables", "KernelText", "MemoryImages", "KernelImages", "PageTableLint",
    "ptdump-lint",
  ]

  private struct Source {
    /// From Sources on.
    let path: String
    let lines: [Substring]
    var module: String { String(path.split(separator: "/")[0]) }
  }

  private static let sources: [Source] = {
    let folder = root.appending(path: "Sources")
    let all =
      FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    return all.filter { $0.hasSuffix(".swift") }.sorted().map { path in
      let text = try? String(contentsOf: folder.appending(path: path), encoding: .utf8)
      return Source(
        path: path, lines: (text ?? "").split(separator: "\n", omittingEmptySubsequences: false))
    }
  }()

  @Test func noModuleImportsUpwards() {
    #expect(Self.sources.count > 100)
    for source in Self.sources {
      guard let own = Self.modules.firstIndex(of: source.module) else { continue }
      for line in source.lines where line.contains("import ") {
        guard let name = line.split(separator: " ").last.map(String.init),
          let other = Self.modules.firstIndex(of: name)
        else { continue }
        #expect(other < own, "\(source.path): \(line)")
      }
    }
  }

  /// Foundation costs start-up, and C is for the readers of files.
  @Test func tablesAreReadWithoutFoundation() {
    for source in Self.sources where ["PageTables", "KernelText"].contains(source.module) {
      for line in source.lines where line.contains("import ") {
        #expect(!line.contains("Foundation"), "\(source.path): \(line)")
      }
    }
  }

  /// Where x86's bits, levels, addresses and symbols belong.
  private static let x86 = [
    "PageTables/Formats/X86", "PageTables/Formats/I386", "KernelImages/Architectures/X86",
    "KernelText/X86Dialect", "PageTableLint/Rules/X86/", "PageTableLint/Logs/SelfTest/",
    "PageTableLint/Logs/X86", "PageTableLint/Entries/X86", "KernelImages/Hypervisors/XenPV",
  ]

  /// Whether code names a bit, an address or a symbol of x86.
  private static func namesX86(_ code: Substring) -> Bool {
    // Patterns are slow: first what each must have.
    func has(_ pattern: Regex<Substring>, _ words: String...) -> Bool {
      words.contains(where: code.mentions) && code.contains(pattern)
    }
    // A bit of Formats/X86Bits.swift, asked of a format.
    let bit =
      /\b(?:mode|format)\.(?:present|large|write|user|global|noExecute|tableAddress|isPAE)\b/
    return has(/addressBits *[=<>!]+ *[0-9]/, "addressBits")
      || has(/root\.entries *== *4/, "root.entries") || has(/0xffff_f?[0-9a-f]{3}_/, "0xffff_")
      || has(
        /"(?:init_top_pgt|init_level4_pgt|level2_ident_pgt|idt_table)/, "init_top_pgt",
        "init_level4_pgt", "level2_ident_pgt", "idt_table")
      || has(/\b(?:CR3|CR4|PGE)\b/, "CR3", "CR4", "PGE") || has(/root & ~?0x1000\b/, "root &")
      || has(/architecture\.name *[=!]=/, "architecture.name") || has(bit, "mode.", "format.")
  }

  /// Files that still name x86, and why; a file that does no more must go from the list.
  private static let exceptions: [String: String] = [:]

  @Test func x86IsNamedInItsRoomsAlone() {
    for source in Self.sources where !Self.x86.contains(where: source.path.hasPrefix) {
      let found = source.lines.filter { line in
        let code = line.place(of: "//").map { line[..<$0.lowerBound] } ?? line
        return Self.namesX86(code)
      }
      let isException = Self.exceptions[source.path] != nil
      #expect(
        found.isEmpty != isException, "\(source.path): \(found.first ?? "names no x86 any more")")
    }
  }

  /// Files that are longer, and why.
  private static let longFiles: [String: String] = [:]

  @Test func filesAreShort() {
    for source in Self.sources {
      let isLong = source.lines.count > 301
      #expect(
        isLong == (Self.longFiles[source.path] != nil),
        "\(source.path): \(source.lines.count) lines")
    }
  }

  /// The lines of each function, accessor or rule's check: from its first line to its brace.
  private static func functions(_ lines: [Substring]) -> [(line: Int, count: Int)] {
    lines.indices.compactMap { start in
      let line = lines[start]
      let isFunction =
        ["func", "init", "subscript"].contains(where: line.mentions)
        && line.contains(/^ *(?:@\S+ |[a-z]+(?:\(set\))? )*(?:func|init|subscript)\b/)
        || line.hasSuffix("{") && line.contains(/^ *(?:[a-z]+ )*var [^=]*\{$/)
        || line.hasSuffix(" in") && line.contains(/^ *\) \{ .* in$/)
      guard isFunction else { return nil }
      let indent = line.prefix { $0 == " " }
      let end = lines[(start + 1)...].firstIndex { other in
        other.hasPrefix(indent + "}")
          || other.hasPrefix(indent) && !other.dropFirst(indent.count).hasPrefix(" ")
            && !other.dropFirst(indent.count).hasPrefix(")")
      }
      guard let end, lines[end].hasPrefix(indent + "}") else { return nil }
      return (start + 1, end - start + 1)
    }
  }

  /// None may be longer; what must be is data.
  @Test func functionsAreShort() {
    var count = 0
    for source in Self.sources {
      let functions = Self.functions(source.lines)
      count += functions.count
      for function in functions {
        #expect(
          function.count <= 50, "\(source.path):\(function.line): \(function.count) lines")
      }
    }
    #expect(count > 1000)
  }

  @Test func aLongFunctionIsSeen() {
    let body = Array(repeating: "    let a = 1" as Substring, count: 50)
    #expect(
      Self.functions(["  private static func a(", "    b: Int", "  ) {"] + body + ["  }"])
        .map(\.count) == [54])
    #expect(Self.functions(["  ) { rule, subject in"] + body + ["  }"]).map(\.count) == [52])
    #expect(Self.functions(["  var a: Int {"] + body + ["  }"]).map(\.count) == [52])
    #expect(Self.functions(["  func a() -> Int", "  var b = 1"] + body + ["  }"]).isEmpty)
  }
}
