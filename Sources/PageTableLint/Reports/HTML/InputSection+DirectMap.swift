internal import KernelImages
internal import PageTables

extension InputSection {
  /// The direct map by cells, what splits it, and whose memory lies there.
  func directMap(_ statistics: TableStatistics, _ page: inout Page) -> Markup {
    guard var picture = DirectMapPicture(subject) else { return "" }
    var drawn = Drawn(picture, &page.names)
    while drawn.size > budget * 2 / 5, picture.cells.count > 1024 {
      picture.halve()
      drawn = Drawn(picture, &page.names)
    }
    let box = page.names.claim("cells")
    let say = page.names.claim("say")
    let rows = picture.grid.rows
    let sizes = "a cell is \(picture.cellSize.readableSize), a row \(picture.rowSize.readableSize)"
    page.data.maps.append(
      PageData.Map(
        box: box, say: say, title: "the direct map", base: picture.base.entry,
        cell: picture.cellSize.entry, frames: picture.frames?.entry, columns: picture.columns,
        cells: drawn.coded.text, sets: drawn.coded.sets, words: words))
    let height = rows <= 2 ? "r1" : rows <= 4 ? "r2" : rows <= 16 ? "r3" : "r4"
    let last = picture.base &+ picture.cellSize &* UInt64(picture.cells.count)
    let label = "The direct map: \(sizes), \(rows.counted("row"))"
    let content: Markup = """
      \(lead(statistics))
      <div class="map">\(choice(picture.cells, &page))\(drawn.legends(words))
      <p class="rows"><span>\(mode.text(picture.base))</span><span>\(sizes)</span></p>
      <div class="box" id="\(box)">\(CellDrawing.picture(drawn.layers, columns: picture.columns, rows: rows, style: "grid \(height)", label: label))</div>
      <p class="rows"><span>to \(mode.text(last))</span></p>
      <p class="say" id="\(say)" aria-live="polite"></p></div>
      \(splits(statistics, picture))\(owners(picture, statistics))
      """
    return Markup.section("direct-map", "The direct map", content, &page)
  }

  /// A drawn grid, and what it takes on the page.
  private struct Drawn {
    let layers: Markup
    let coded: (text: String, sets: [UInt32])
    let cells: [CellFacts]
    var size: Int { layers.source.utf8.count + coded.text.utf8.count + coded.sets.count * 8 }

    init(_ picture: DirectMapPicture, _ names: inout ElementNames) {
      var layers: Markup = ""
      cells = picture.cells
      for layer in CellLayer.all where cells.contains(where: { layer.index(of: $0) != nil }) {
        layers +=
          "<g class=\"ly ly-\(layer.name)\">\(CellDrawing.layer(layer, picture.grid, names: &names))</g>"
      }
      var ticks = ""
      for (index, cell) in cells.enumerated() where cell.contains(.failed) {
        ticks += "M\(index % picture.columns).5 \(index / picture.columns).1v.3"
      }
      if !ticks.isEmpty { layers += "<path class=\"tick\" d=\"\(Markup(own: ticks))\"/>" }
      self.layers = layers
      coded = CellDrawing.coded(cells)
    }

    func legends(_ words: [String]) -> Markup {
      var legends: Markup = ""
      for layer in CellLayer.all { legends += CellDrawing.legend(layer, cells, words: words) }
      let failed = cells.count { $0.contains(.failed) }
      guard failed > 0 else { return legends }
      return legends
        + "<p class=\"hint\">A tick at the top of a cell: an address in it that the self-test failed on (\(failed.counted("cell"))).</p>"
    }
  }

  /// What to colour by: first by protection where that is an alarm, else by page size.
  private func choice(_ cells: [CellFacts], _ page: inout Page) -> Markup {
    let isAlarm = cells.contains { $0.contains(.writableExecutable) }
    let first = isAlarm ? CellLayer.protection.name : CellLayer.size.name
    let name = page.names.claim("by")
    let labels: [Markup] = CellLayer.all.filter { layer in
      cells.contains { layer.index(of: $0) != nil }
    }.map { layer in
      "<label><input type=\"radio\" name=\"\(name)\" class=\"by-\(layer.name)\"\(layer.name == first ? " checked" : "")> \(layer.title)</label>"
    }
    return "<fieldset class=\"by\"><legend>Colour by</legend>\(labels)</fieldset>"
  }

  /// How much is mapped by which pages.
  private func lead(_ statistics: TableStatistics) -> Markup {
    let parts: [Markup] = statistics.directMapPages.sorted { $0.key > $1.key }.map {
      size, count in
      "<b data-size=\"\(size)\" data-n=\"\(count)\">\(count)</b> pages of \(size.size) (\((count &* size).readableSize))"
    }
    var line: Markup = ""
    for (index, part) in parts.enumerated() { line += index == 0 ? part : ", " + part }
    return "<p class=\"sizes\">\(line).</p>"
  }

  /// Whose tables hold the direct map's entries.
  private func owners(_ picture: DirectMapPicture, _ statistics: TableStatistics) -> Markup {
    guard let owners = picture.owners else { return "" }
    let rows: [[Markup]] = owners.shares(of: statistics.directMapBytes).prefix(40).map { share in
      [
        share.owner.map { "<code>\($0)</code>" } ?? "tables outside the kernel image",
        .number(share.bytes.readableSize, share.bytes),
      ]
    }
    return "<h3>Whose tables map it</h3>\n"
      + Markup.table(
        "The direct map, by the symbol of the kernel image in which the entry's table lies",
        ["table", "maps"], rows)
  }

  private func splits(_ statistics: TableStatistics, _ picture: DirectMapPicture) -> Markup {
    let splits = StatisticsReport.sorted(statistics.splits)
    guard !splits.isEmpty else {
      return
        "<p class=\"hint\">Nothing splits it: no place of a large page is filled by small ones.</p>\n"
    }
    let rows: [[Markup]] = splits.map { split in
      let why =
        split.differs.isEmpty
        ? "nothing: one large page would do"
        : "the entries differ in \(split.differs.joined(separator: ", "))"
      return [
        "\(why)", "\(split.size.readableSize)", .number("\(split.count)", split.count),
        "<td class=\"n\">\((split.count &* split.size).readableSize)</td>",
      ]
    }
    let total = picture.splitters.reduce(0) { $0 + $1.count }
    let owners: [[Markup]] = picture.splitters.map { splitter in
      ["\(splitter.name)", .number("\(splitter.count)", UInt64(splitter.count))]
    }
    return "<h3>What splits it</h3>\n"
      + Markup.table(
        "Places of a large page that small pages fill", ["why", "large page", "places", "memory"],
        rows)
      + (total == 0
        ? ""
        : "<h3>Whose memory lies there</h3>\n"
          + Markup.table(
            "The \(total) places of \(mode.level(2).span.readableSize), by the first that has a page in it",
            ["who", "places"], owners))
  }
}
