internal import KernelImages
internal import PageTables

/// Writes runs as lines of a style, byte by byte: an image may have a hundred million of them.
struct MappingLines {
  let subject: Subject
  let table: Table
  private let style: MappingReport.Style
  let mode: TableFormat
  let digits: Int
  /// The input as JSON has it, where each line names it.
  private let input: [UInt8]?
  /// What was written and not taken yet.
  var bytes: [UInt8] = []

  /// The area of the last run, in words, and up to where it goes on.
  var area = (last: UInt64(0), words: [UInt8](), json: [UInt8](), isImage: false)
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
  var owner = (start: UInt64(0), level: UInt8(0), name: String?.none)

  /// The columns that flags and physical addresses of the table for people take.
  var columns = (flags: 5, physical: 8)
  /// The terminal's columns; nil where there is none.
  let width: Int?
  /// Whether a run takes two lines there, since the terminal is too narrow for one.
  var isFolded = false
  /// How many runs the columns are made for.
  private static let mostMeasured = 4096

  /// How many of those are remembered: what an image has of them is few.
  private static let mostKept = 4096

  init(_ table: Table, of subject: Subject, style: MappingReport.Style, width: Int? = nil) throws {
    self.subject = subject
    self.table = table
    self.style = style
    self.width = width
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
    guard let width, width < untilArea + Self.areaColumns else { return }
    isFolded = true
    // The second line may be too long for columns, too.
    if width < Self.indent + columns.flags + columns.physical + 2 + Self.areaColumns {
      columns = (0, 0)
    }
  }

  /// Of the second line of a run.
  static let indent = 4

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

  // MARK: - Pieces

  static func word(_ kind: Run.Kind) -> String {
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

  mutating func flags(of run: Run) -> (words: [UInt8], json: [UInt8]) {
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

  mutating func pad(_ count: Int) {
    for _ in 0..<max(0, count) { bytes.append(0x20) }
  }

  mutating func append(address: UInt64) {
    append("0x")
    append(hex: address & mode.top, digits: digits)
  }

  mutating func append(hex value: UInt64, digits: Int = 1) {
    let needed = max(digits, (67 - value.leadingZeroBitCount) / 4)
    for place in stride(from: needed - 1, through: 0, by: -1) {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * place)) & 15
      bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }

  private mutating func append(number: UInt64) { append(String(number)) }
}
