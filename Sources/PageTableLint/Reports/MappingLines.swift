internal import KernelImages
internal import PageTables

/// Writes runs as lines of a style, byte by byte: an image may have a hundred million of them.
struct MappingLines {
  private let subject: Subject
  private let table: Table
  private let style: MappingReport.Style
  private let mode: TableFormat
  private let digits: Int
  /// The input as JSON has it, where each line names it.
  private let input: [UInt8]?
  /// What was written and not taken yet.
  private(set) var bytes: [UInt8] = []

  /// The area of the last run, in words, and up to where it goes on.
  private var area = (last: UInt64(0), words: [UInt8](), json: [UInt8](), isImage: false)
  private var hasArea = false
  /// The names of flags, and the same as JSON has them, by the flags and the level.
  private var names: [Flags: (words: [UInt8], json: [UInt8])] = [:]

  private struct Flags: Hashable {
    let flags: UInt64
    let level: UInt8
  }

  /// What runs that differ in their places alone have in common in JSON.
  private struct Pieces {
    let untilPhysical, untilSize, rest: [UInt8]
  }

  private struct Likeness: Hashable {
    let flags: UInt64
    let kind: Run.Kind
    let level: UInt8
    let access: UInt8
    let hasPhysical: Bool
  }

  private var pieces: [Likeness: Pieces] = [:]

  /// The page table of the last run by the first address that it serves, and its owner.
  private var owner = (start: UInt64(0), level: UInt8(0), name: String?.none)

  /// The columns that flags and physical addresses of the table for people take.
  private var columns = (flags: 5, physical: 8)
  /// Whether a run takes two lines there, since the terminal is too narrow for one.
  private var isFolded = false
  /// How many runs the columns are made for.
  private static let mostMeasured = 4096

  /// How many of those are remembered: what an image has of them is few.
  private static let mostKept = 4096

  /// - Parameter width: the terminal's columns; nil where there is none.
  init(_ table: Table, of subject: Subject, style: MappingReport.Style, width: Int? = nil) throws {
    self.subject = subject
    self.table = table
    self.style = style
    mode = table.space.mode
    digits = mode.addressDigits
    input = style == .jsonl ? try Self.json(subject.path) : nil
    guard style == .table else { return }
    for run in table.space.runs.prefix(Self.mostMeasured) where run.isLeaf {
      columns.flags = max(columns.flags, flags(of: run).words.count)
      columns.physical = max(columns.physical, run.physical.map { $0.entry.utf8.count } ?? 0)
    }
    // Size, level, rights and what lies between take 20 columns beside the two addresses.
    let untilArea = 2 * (digits + 2) + 20 + columns.flags + columns.physical
    isFolded = width.map { $0 < untilArea + Self.areaColumns } ?? false
  }

  /// Most names of areas are no longer.
  private static let areaColumns = 10

  /// Hands out what was written.
  mutating func take() -> String {
    defer { bytes.removeAll(keepingCapacity: true) }
    return String(decoding: bytes, as: UTF8.self)
  }

  mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  mutating func append(_ run: Run, isFirst: Bool) throws {
    findArea(of: run.start)
    let symbol =
      run.isLeaf && area.isImage ? subject.symbols?.label(around: run.start) : nil
    switch style {
    case .json:
      append(isFirst ? "\n" : ",\n")
      try appendObject(run, symbol)
    case .jsonl:
      try appendObject(run, symbol)
      append("\n")
    case .csv: appendFields(run, symbol)
    case .table: appendColumns(run, symbol)
    }
  }

  // MARK: - Styles

  private mutating func appendObject(_ run: Run, _ symbol: String?) throws {
    let pieces = pieces(of: run)
    append("{\"area\":")
    bytes += area.json
    append(",\"end\":\"")
    append(address: run.end)
    bytes += pieces.untilPhysical
    if let physical = run.physical { append(hex: physical) }
    bytes += pieces.untilSize
    append(number: run.size)
    append(",\"start\":\"")
    append(address: run.start)
    append("\"")
    if let symbol {
      append(",\"symbol\":")
      bytes += try Self.json(symbol)
    }
    bytes += pieces.rest
  }

  private mutating func appendFields(_ run: Run, _ symbol: String?) {
    append(address: run.start)
    append(",")
    append(address: run.end)
    append(",")
    append(number: run.size)
    append(",\(Self.word(run.kind)),\(mode.level(Int(max(1, run.level))).name),")
    if run.kind != .hole { bytes += flags(of: run).words }
    for isAllowed in [run.access.isWritable, run.access.isUser, run.access.isExecutable] {
      append(",")
      append(run.isLeaf && isAllowed)
    }
    append(",")
    if let physical = run.physical {
      append("0x")
      append(hex: physical)
    }
    append(",")
    bytes += area.words
    append(",\(symbol ?? "")\n")
  }

  private mutating func appendColumns(_ run: Run, _ symbol: String?) {
    append(address: run.start)
    append("-")
    append(address: run.end)
    let size = run.size.size
    append(" ")
    pad(8 - size.utf8.count)
    append(size)
    append(" ")
    append(mode.level(Int(max(1, run.level))).name)
    append(" ")
    if run.isLeaf {
      append("r")
      append(run.access.isWritable ? "w" : "-")
      append(run.access.isExecutable ? "x" : "-")
      append(run.access.isUser ? "u" : " ")
    } else {
      pad(4)
    }
    append(separator)
    var start = bytes.count
    if run.isLeaf { bytes += flags(of: run).words } else { append(Self.word(run.kind)) }
    pad(columns.flags - (bytes.count - start))
    append(" ")
    start = bytes.count
    if let physical = run.physical {
      append("0x")
      append(hex: physical)
    }
    pad(columns.physical - (bytes.count - start))
    append(" ")
    bytes += area.words
    if let symbol { append(" \(symbol)") }
    if let owner = findOwner(of: run) { append(" in \(owner)") }
    append("\n")
  }

  /// Whose page table a leaf is in: asked once for each table, since a walk takes time.
  private mutating func findOwner(of run: Run) -> String? {
    guard run.isLeaf else { return nil }
    let level = Int(run.level)
    let span = level < mode.levels.count ? mode.level(level + 1).span : 0
    let start = run.start & ~(span &- 1)
    if owner.level != run.level || owner.start != start {
      owner = (start, run.level, subject.owner(of: run.start, in: table))
    }
    return owner.name
  }

  /// What lies between a run's rights and its flags.
  private var separator: String { isFolded ? "\n    " : " " }

  /// What the columns of a table are, above them.
  mutating func appendTitles(_ table: Table, of subject: Subject) {
    let release = subject.facts.release.map { ", Linux \($0.value)" } ?? ""
    append("# \(subject.path): \(mode.name)\(release), \(table.name) table\n#start")
    pad(digits - 3)
    append("end")
    pad(digits + 4)
    append("size lvl rwxu\(isFolded ? "\n#   " : " ")flags")
    pad(columns.flags - 4)
    append("physical")
    pad(columns.physical - 7)
    append("area, symbol, in whose table\n")
  }

  // MARK: - Pieces

  private static func word(_ kind: Run.Kind) -> String {
    switch kind {
    case .hole: "hole"
    case .notPresent: "notPresent"
    case .leaf: "leaf"
    case .unreadable: "unreadable"
    }
  }

  private static func json(_ value: some Encodable) throws -> [UInt8] {
    Array(try JSONReport.encode(value, pretty: false).utf8.dropLast())
  }

  /// Runs come in the order of their addresses.
  private mutating func findArea(of start: UInt64) {
    guard !hasArea || start > area.last else { return }
    let (found, last) = table.layout.stretch(at: start)
    hasArea = true
    area = (
      last, Array(found.name.utf8), Array("\"\(found.name)\"".utf8), found.kind == .image
    )
  }

  private mutating func flags(of run: Run) -> (words: [UInt8], json: [UInt8]) {
    let key = Flags(flags: run.flags, level: run.level)
    if let known = names[key] { return known }
    let words = mode.names(run.flags, level: Int(run.level))
    let made = (
      Array(words.joined(separator: " ").utf8),
      Array("[\(words.map { "\"\($0)\"" }.joined(separator: ","))]".utf8)
    )
    if names.count >= Self.mostKept { names.removeAll() }
    names[key] = made
    return made
  }

  private mutating func pieces(of run: Run) -> Pieces {
    let key = Likeness(
      flags: run.flags, kind: run.kind, level: run.level, access: run.access.rawValue,
      hasPhysical: run.physical != nil)
    if let known = pieces[key] { return known }
    let flags = run.kind == .hole ? "[]" : String(decoding: flags(of: run).json, as: UTF8.self)
    let named = input.map { ",\"input\":" + String(decoding: $0, as: UTF8.self) } ?? ""
    let size = run.isLeaf ? ",\"pageSize\":\(mode.span(of: run))" : ""
    let made = Pieces(
      untilPhysical: Array(
        ("\",\"execute\":\(run.isLeaf && run.access.isExecutable),\"flags\":\(flags)\(named)"
          + ",\"kind\":\"\(Self.word(run.kind))\",\"level\":\""
          + "\(mode.level(Int(max(1, run.level))).name)\"\(size)"
          + (run.physical == nil ? "" : ",\"physical\":\"0x")).utf8),
      untilSize: Array(
        ((run.physical == nil ? "" : "\"") + ",\"rawFlags\":\"\(run.flags.entry)\",\"size\":").utf8),
      rest: Array(
        (",\"user\":\(run.isLeaf && run.access.isUser)"
          + ",\"write\":\(run.isLeaf && run.access.isWritable)}").utf8))
    if pieces.count >= Self.mostKept { pieces.removeAll() }
    pieces[key] = made
    return made
  }

  private mutating func append(_ isTrue: Bool) { append(isTrue ? "true" : "false") }

  private mutating func pad(_ count: Int) {
    for _ in 0..<max(0, count) { bytes.append(0x20) }
  }

  private mutating func append(address: UInt64) {
    append("0x")
    append(hex: address & mode.top, digits: digits)
  }

  private mutating func append(hex value: UInt64, digits: Int = 1) {
    let needed = max(digits, (67 - value.leadingZeroBitCount) / 4)
    for place in stride(from: needed - 1, through: 0, by: -1) {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * place)) & 15
      bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }

  private mutating func append(number: UInt64) { append(String(number)) }
}
