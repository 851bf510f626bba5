internal import KernelImages
internal import PageTables

/// The table for people: a line a run, or two where the terminal is narrow.
extension MappingLines {
  mutating func appendColumns(_ run: Run, _ symbol: String?) {
    var line = bytes.count
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
    if isFolded { line = breakLine() } else { append(" ") }
    var start = bytes.count
    if run.isLeaf {
      bytes += flags(of: run).words
    } else {
      append(run.kind == .notPresent ? "not present" : Self.word(run.kind))
    }
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
    if let owner = findOwner(of: run) {
      if let width, bytes.count - line + " in \(owner)".utf8.count > width {
        _ = breakLine()
      } else {
        append(" ")
      }
      append("in \(owner)")
    }
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

  /// Goes on in a line of its own, and says where that starts.
  private mutating func breakLine() -> Int {
    while bytes.last == 0x20 { bytes.removeLast() }
    append("\n")
    pad(Self.indent)
    return bytes.count - Self.indent
  }

  /// What the columns of a table are, above them.
  mutating func appendTitles(_ table: Table, of subject: Subject) {
    let release = subject.facts.release.map { ", Linux \($0.value)" } ?? ""
    append("# \(subject.path): \(mode.name)\(release), \(table.name) table\n#start")
    pad(digits - 3)
    append("end")
    pad(digits + 4)
    append("size lvl rwxu\(isFolded ? "\n#   " : " ")flags")
    pad(max(1, columns.flags - 4))
    append("physical")
    pad(max(1, columns.physical - 7))
    append("where\n")
  }
}
