internal import PageTables

extension KernelText {
  /// The text as the kernel prints it, byte for byte.
  ///
  /// Source: `note_page` and `printk_prot`, arch/x86/mm/dump_pagetables.c, 6.12.
  package var bytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(space.runs.count * 96 + markers.count * 40)
    var marker = 0
    var skip = 0
    for (index, run) in space.runs.enumerated() {
      writeMarks(before: index, &skip, &marker, to: &out)
      write(run, to: &out)
    }
    writeMarks(before: space.runs.count, &skip, &marker, to: &out)
    return out
  }

  private func writeMarks(
    before run: Int, _ skip: inout Int, _ marker: inout Int, to out: inout [UInt8]
  ) {
    while skip < skips.count, skips[skip].run == run {
      let count = skips[skip].count
      out += "... \(count) entr\(count == 1 ? "y" : "ies") skipped ... \n".utf8
      skip += 1
    }
    while marker < markers.count, markers[marker].run == run {
      out += "---[ \(markers[marker].name) ]---\n".utf8
      marker += 1
    }
  }

  private func write(_ run: Run, to out: inout [UInt8]) {
    let mode = space.mode
    out += address(run.start).utf8
    out.append(0x2d)
    out += address(run.end).utf8
    out += "   ".utf8
    let size = run.size.size
    out += repeatElement(0x20, count: max(0, 10 - size.utf8.count))
    out += size.utf8
    out.append(0x20)
    let level = mode.level(Int(run.level))
    let isBlank = run.kind != .leaf && (dialect.blanksNotPresent || run.flags == 0)
    let name = dialect.namesByRoot || run.kind == .hole ? level.holeName : level.name
    if dialect.namesLevelFirst {
      out += name.uppercased().utf8
      if !isBlank { writeWords(run.flags, level: Int(run.level), to: &out) }
      out.append(0x0a)
      return
    }
    if isBlank {
      out += repeatElement(0x20, count: dialect.width)
    } else {
      writeColumns(run.flags, level: Int(run.level), to: &out)
    }
    out += name.utf8
    out.append(0x0a)
  }

  /// A blank before each column; one that is empty is left out with it.
  private func writeWords(_ flags: UInt64, level: Int, to out: inout [UInt8]) {
    for column in dialect.columns {
      let text = column.text(flags, level: level)
      guard !text.isEmpty else { continue }
      out.append(0x20)
      out += text.utf8
    }
  }

  private func writeColumns(_ flags: UInt64, level: Int, to out: inout [UInt8]) {
    for column in dialect.columns {
      out += column.text(flags, level: level).utf8
      out.append(0x20)
    }
  }

  private func address(_ value: UInt64) -> String {
    let text = space.mode.text(value)
    guard dialect.prefixesAddresses else { return String(text.dropFirst(2)) }
    guard dialect.printsNull, value == 0 else { return text }
    return "0x" + String(repeating: " ", count: text.utf8.count - 8) + "(null)"
  }
}
