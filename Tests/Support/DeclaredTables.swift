package import KernelImages
internal import MemoryImages
internal import PageTables

/// Page tables declared in text, as samples/rules/README.md describes it.
package struct DeclaredTables {
  /// What is wrong with the text.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
  }

  private var root: UInt64?
  private var tables: [(address: UInt64, entries: [Int: UInt64])] = []
  private var missing: [UInt64] = []
  private var facts: [(name: String, value: String)] = []
  private var symbolList: [(name: String, address: UInt64)] = []
  /// The symbols that are declared; the first must be where the image starts.
  package var symbols: [Symbols] {
    symbolList.isEmpty ? [] : [Symbols(symbolList, source: "declared")]
  }
  /// The processes that are declared, beside the kernel.
  package private(set) var processes: [KernelProcess] = []
  /// The machine's memory map, where it is declared.
  package private(set) var resources: [Resource] = []
  /// What the kernel's lists have of vmalloc, where it is declared.
  package private(set) var vmallocPages: VmallocPages?
  private var noteLines: [String] = []
  private var machine: Machine?
  private var registers: [(name: String, value: UInt64)] = []
  /// PTI's two roots, where it is declared to be on and the page behind the root is declared.
  package var twins: (kernel: UInt64, user: UInt64)? {
    guard let root, facts.contains(where: { $0 == ("pti", "on") }),
      tables.contains(where: { $0.address == root | 0x1000 })
    else { return nil }
    return (kernel: root, user: root | 0x1000)
  }

  package init(_ text: String) throws(Failure) {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      let words = line.split(separator: " ").map(String.init)
      guard words.isEmpty || words[0] == "#" || take(words) else {
        throw Failure("line \(index + 1) cannot be understood: \(line)")
      }
    }
    guard root != nil else { throw Failure("no line tells the root") }
  }

  private mutating func take(_ words: [String]) -> Bool {
    if words[0] == "fact", words.count == 3 {
      facts.append((name: words[1], value: words[2]))
      var scratch = KernelFacts()
      return Self.set(words[1], words[2], in: &scratch)
    }
    if words[0] == "resource", words.count > 2 {
      let parsed = Resource.parse("\(words[1]) : \(words.dropFirst(2).joined(separator: " "))")
      resources += parsed ?? []
      return parsed != nil
    }
    if words[0] == "vmalloc", words.count == 4, let start = UInt64(hexText: words[1]),
      let physical = UInt64(hexText: words[2]), let size = UInt64(hexText: words[3])
    {
      let piece = VmallocPages.Piece(start: start, physical: physical, size: size)
      vmallocPages = VmallocPages(pieces: (vmallocPages?.pieces ?? []) + [piece])
      return true
    }
    if words[0] == "register", words.count == 3, ["CR0", "CR4"].contains(words[1]),
      let value = UInt64(hexText: words[2])
    {
      registers.append((name: words[1], value: value))
      return true
    }
    if words == ["machine", "arm64"] {
      machine = .arm64
      return true
    }
    if words[0] == "vmcoreinfo", words.count == 2 {
      noteLines.append(words[1])
      return true
    }
    if words[0] == "directPages", words.count == 4 {
      facts.append((name: words[0], value: words.dropFirst().joined(separator: " ")))
      var scratch = KernelFacts()
      return Self.set(words[0], facts[facts.count - 1].value, in: &scratch)
    }
    if words[0] == "symbol", words.count == 3, let address = UInt64(hexText: words[2]) {
      symbolList.append((name: words[1], address: address))
      return true
    }
    if words[0] == "process", words.count == 4, let pid = Int(words[1]),
      let root = UInt64(hexText: words[3])
    {
      processes.append(KernelProcess(pid: pid, name: words[2], root: root))
      return true
    }
    guard words.count == 2, let value = UInt64(hexText: words[1]) else { return false }
    switch words[0] {
    case "root": root = value
    case "table": tables.append((address: value, entries: [:]))
    case "missing": missing.append(value)
    default:
      let ends = words[0].dropLast().split(separator: "-").map { Int($0) ?? -1 }
      guard let first = ends.first, let last = ends.last, ends.count <= 2, first <= last,
        first >= 0, last < 512, words[0].last == ":", !tables.isEmpty
      else { return false }
      for index in first...last {
        tables[tables.count - 1].entries[index] = value + UInt64(index - first) << 12
      }
    }
    return true
  }

  /// An ELF image of the tables, with their root in CR3.
  package var image: ImageWriter {
    var writer = ImageWriter(root: root ?? 0)
    if let machine { writer.machine = machine }
    for register in registers { writer.register(register.name, register.value) }
    for table in tables { writer.table(table.address, table.entries) }
    for address in missing { writer.missing(address) }
    if !noteLines.isEmpty { writer.note(vmcoreinfo: noteLines.joined(separator: "\n") + "\n") }
    return writer
  }

  /// Sets what the text states as facts.
  package func state(in known: inout KernelFacts) {
    for fact in facts { _ = Self.set(fact.name, fact.value, in: &known) }
  }

  private static func set(_ name: String, _ value: String, in facts: inout KernelFacts) -> Bool {
    let number = UInt64(hexText: value).map { Fact($0, "declared") }
    let isOn = ["on": true, "off": false][value].map { Fact($0, "declared") }
    switch name {
    case "kaslrOffset" where number != nil: facts.kaslrOffset = number
    case "vmalloc" where number != nil: facts.vmalloc = number
    case "vmemmap" where number != nil: facts.vmemmap = number
    case "maxPfnMapped" where number != nil: facts.maxPfnMapped = number
    case "directPages":
      let counts = value.split(separator: " ").compactMap { UInt64($0) }
      guard counts.count == 3 else { return false }
      facts.directPages = Fact(counts, "declared")
    case "release": facts.release = Fact(value, "declared")
    case "pti" where isOn != nil: facts.pti = isOn
    case "nx" where isOn != nil: facts.nx = isOn
    case "pge" where isOn != nil: facts.pge = isOn
    case "xen" where isOn != nil: facts.xen = isOn
    default: return false
    }
    return true
  }
}
