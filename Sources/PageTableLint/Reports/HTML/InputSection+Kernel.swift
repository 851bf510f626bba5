internal import KernelImages
internal import PageTables

extension InputSection {
  /// Tables beside the kernel's: the twin that programs run with, and processes' own.
  func processes(_ page: inout Page) -> Markup {
    let others = subject.tables.dropFirst()
    guard !others.isEmpty, !subject.isLogAlone else { return "" }
    var occurs: [CellFacts] = []
    let rows: [[Markup]] = others.prefix(100).map { table in
      let protections = self.protections(table)
      occurs += protections.keys
      let figures = TableFigures(table)
      let bad = figures.writableExecutablePages
      let findings = report.findings.count { $0.table == table.id && $0.isOpen }
      return [
        "\(table.name)", "<td><code>\(table.root?.entry ?? "")</code></td>",
        "<td class=\"bar\">\(bar(table, protections))</td>",
        .number(figures.mapped.readableSize, figures.mapped),
        .number("\(bad)", bad, isBad: bad > 0),
        .number("\(findings)", UInt64(findings), isBad: findings > 0),
      ]
    }
    let more: Markup =
      others.count > 100 ? "<p class=\"more\">and \(others.count - 100) more</p>" : ""
    let table = Markup.table(
      "The tables that were read beside the kernel's",
      [
        "table", "root", "what is allowed", "mapped", "writable and executable pages", "findings",
      ], rows)
    let legend = CellDrawing.legend(.protection, occurs, words: words, isAlways: true)
    return Markup.section("tables", "Other tables", table + legend + more, &page)
  }

  /// What a table maps by what is allowed.
  private func protections(_ table: Table) -> [CellFacts: UInt64] {
    var bytes: [CellFacts: UInt64] = [:]
    for run in table.space.runs where run.isLeaf {
      let facts = CellFacts(run, mode)
      guard let index = CellLayer.protection.index(of: facts) else { continue }
      bytes[CellLayer.protection.classes[index].fact, default: 0] &+= run.size
    }
    return bytes
  }

  private func bar(_ table: Table, _ bytes: [CellFacts: UInt64]) -> Markup {
    CellDrawing.bar(
      .protection, CellLayer.protection.classes.map { bytes[$0.fact] ?? 0 }, words: words,
      label: table.name)
  }

  /// What lies where in physical memory.
  func memoryMap(_ page: inout Page) -> Markup {
    guard let resources = subject.resources else { return "" }
    let ram = subject.ram.reduce(UInt64(0)) { $0 &+ ($1.upperBound &- $1.lowerBound &+ 1) }
    let rows: [[Markup]] = resources.value.prefix(120).map { resource in
      [
        "<code>\(resource.start.entry)-\(resource.last.entry)</code>",
        .number(
          (resource.last &- resource.start &+ 1).readableSize, resource.last &- resource.start &+ 1),
        "\(String(repeating: "· ", count: min(8, resource.depth)) + resource.name.shortened(80))",
      ]
    }
    let left = resources.value.count - rows.count
    let more: Markup = left > 0 ? "<p class=\"more\">and \(left) more</p>" : ""
    let content: Markup = """
      <p><b data-n="\(ram)">\(ram.readableSize)</b> of memory <span class="src">(\(resources.source))</span></p>
      <details><summary>\(resources.value.count) ranges</summary>\(Markup.table("Physical addresses, as /proc/iomem lists them", ["range", "size", "what"], rows))\(more)</details>

      """
    return Markup.section("memory-map", "The machine's memory", content, &page)
  }

  /// What is known of the kernel, and where it is known from.
  func facts(_ page: inout Page) -> Markup {
    let listed = subject.readableFacts
    guard !listed.isEmpty else { return "" }
    let items: [Markup] = listed.map {
      "<li><b>\($0.name)</b><code>\($0.value.shortened(200))</code><span class=\"src\">\($0.source.shortened(200))</span></li>"
    }
    return Markup.section(
      "facts", "What is known of this kernel", "<ul class=\"facts\">\(items)</ul>\n", &page)
  }

  /// The rules that did not run, and what they lack.
  func skipped(_ page: inout Page) -> Markup {
    guard !report.skipped.isEmpty else { return "" }
    let rows: [[Markup]] = report.skipped.map {
      ["\($0.rule.id) \($0.rule.name)", "\($0.reason.shortened())"]
    }
    let content: Markup = """
      <details><summary>\(report.skipped.count) rules did not run</summary>\(Markup.table("What each would need", ["rule", "why it did not run"], rows))</details>

      """
    return Markup.section("skipped", "Rules that could not run", content, &page)
  }
}
