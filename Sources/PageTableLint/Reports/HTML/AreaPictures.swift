internal import PageTables

/// The areas of a table, each with what is mapped of it side by side, in as many bins for each.
struct AreaPictures {
  struct Area {
    let name: String
    let start: UInt64
    /// Inclusive.
    fileprivate(set) var last: UInt64
    fileprivate(set) var mapped: UInt64 = 0
    /// Bytes by the class of the layer of protections.
    fileprivate(set) var byProtection = Array(
      repeating: UInt64(0), count: CellLayer.protection.classes.count)
    fileprivate(set) var bins: [CellFacts] = []
    /// Stretches without a hole, and how much is mapped before each.
    private var stretches: [(first: UInt64, last: UInt64, before: UInt64)] = []

    fileprivate init(_ name: String, _ run: Run) {
      self.name = name
      start = run.start
      last = run.last
    }

    fileprivate mutating func add(_ run: Run, _ facts: CellFacts) {
      if let end = stretches.last?.last, end &+ 1 == run.start, end != .max {
        stretches[stretches.count - 1].last = run.last
      } else {
        stretches.append((run.start, run.last, mapped))
      }
      mapped &+= run.size
      last = max(last, run.last)
      if let index = CellLayer.protection.index(of: facts) { byProtection[index] &+= run.size }
    }

    /// How much is mapped before an address.
    fileprivate func before(_ address: UInt64) -> UInt64 {
      let index = stretches.partitioningIndex { $0.last >= address }
      guard index < stretches.count else { return mapped }
      let stretch = stretches[index]
      return stretch.before &+ (address > stretch.first ? address - stretch.first : 0)
    }

    /// The place of an address in what is mapped, from 0 to 999.
    func thousandth(of address: UInt64) -> Int { place(of: before(address), in: 1000) }

    fileprivate func place(of bytes: UInt64, in count: Int) -> Int {
      mapped == 0
        ? 0 : min(count - 1, max(0, Int(Double(bytes) / Double(mapped) * Double(count))))
    }
  }

  private(set) var areas: [Area] = []

  /// - Parameter most: the bytes that their tracks may take on a page.
  init(_ subject: Subject, most: Int) {
    guard !subject.isLogAlone else { return }
    let table = subject.kernel
    let mode = table.space.mode
    var places: [String: Int] = [:]
    func forEach(_ take: (Run, Int?, String) -> Void) {
      var stretch: (name: String, last: UInt64) = ("", 0)
      var isFirst = true
      for run in table.space.runs where run.isLeaf {
        if isFirst || run.start > stretch.last {
          let found = table.layout.stretch(at: run.start)
          stretch = (found.area.name, found.last)
          isFirst = false
        }
        take(run, places[stretch.name], stretch.name)
      }
    }
    forEach { run, place, name in
      let place = place ?? areas.count
      if place == areas.count {
        places[name] = place
        areas.append(Area(name, run))
      }
      areas[place].add(run, CellFacts(run, mode))
    }
    let count = max(40, min(300, most / max(1, areas.count) / 15))
    for index in areas.indices { areas[index].bins = Array(repeating: [], count: count) }
    forEach { run, place, _ in
      guard let place else { return }
      let area = areas[place]
      let before = area.before(run.start)
      let first = area.place(of: before, in: count)
      let last = area.place(of: before &+ (run.size &- 1), in: count)
      let facts = CellFacts(run, mode)
      for bin in first...max(first, last) { areas[place].bins[bin].insert(facts) }
    }
  }

  /// The area in which an address lies.
  func area(at address: UInt64) -> Area? {
    areas.first { $0.start <= address && address <= $0.last }
  }
}

extension InputSection {
  /// All areas beside each other, with the share of what is allowed in each.
  func strip(_ pictures: AreaPictures, _ page: inout Page) -> Markup {
    var blocks: [Markup] = []
    var occurs: [CellFacts] = []
    for area in pictures.areas {
      let id = page.names.claim("area-\(area.name)")
      page.data.areas.append([area.start.entry, area.last.entry, area.name, id])
      occurs += zip(CellLayer.protection.classes, area.byProtection).filter { $0.1 > 0 }
        .map(\.0.fact)
      let grave = report.findings.count {
        $0.isOpen && $0.severity > .note && $0.area == area.name && $0.table == subject.kernel.id
      }
      let size = max(1, min(8, (64 - area.mapped.leadingZeroBitCount - 12) / 3))
      let picture = CellDrawing.bar(
        .protection, area.byProtection, words: words, label: area.name)
      let count: Markup =
        grave > 0 ? "<span class=\"cnt\" title=\"findings\">\(grave)<span> !</span></span>" : ""
      blocks.append(
        "<a class=\"blk f\(size)\" href=\"#\(id)\">\(picture)<span class=\"nm\">\(area.name)</span><span class=\"sz\">\(area.mapped.readableSize)</span>\(count)</a>"
      )
    }
    let content: Markup = """
      <p class="hint">Low addresses first; a wider area has more memory in it. A number is how many findings lie there.</p>
      <nav class="strip" aria-label="Areas, low addresses first">\(blocks)</nav>
      \(CellDrawing.legend(.protection, occurs, words: words, isAlways: true))
      """
    return Markup.section("map", "The kernel's address space", content, &page)
  }

  /// Each area with three tracks.
  func areaList(_ pictures: AreaPictures, _ statistics: TableStatistics, _ page: inout Page)
    -> Markup
  {
    guard !pictures.areas.isEmpty else { return "" }
    let layers = [CellLayer.protection, .size, .global]
    var rows: Markup = ""
    let names = page.data.areas.suffix(pictures.areas.count).map { $0[3] }
    for (index, area) in pictures.areas.enumerated() where index < names.count {
      let id = names[index]
      let grid = CellDrawing.Grid(cells: area.bins, columns: area.bins.count)
      var tracks: Markup = ""
      for (row, layer) in layers.enumerated() {
        tracks += CellDrawing.layer(layer, grid, row: row, names: &page.names)
      }
      let sizes = statistics.areas.first { $0.area == area.name }?.bySize ?? [:]
      let words: [Markup] = sizes.sorted { $0.key < $1.key }.map {
        "<span><span data-size=\"\($0.key)\" data-n=\"\($0.value)\">\($0.value.readableSize)</span> in \($0.key.size) pages</span>"
      }
      rows += """
        <div class="area" id="\(id)" data-area="\(area.name)"><div><b>\(area.name)</b><code>\(mode.text(area.start))</code></div>
        \(CellDrawing.picture(tracks, columns: area.bins.count, rows: layers.count, style: "tracks", label: "\(area.name): protection, page size and global bit of what is mapped"))
        <div><b>\(area.mapped.readableSize)</b>\(words)</div></div>

        """
    }
    let all = pictures.areas.flatMap(\.bins)
    let legends: [Markup] = layers.map {
      CellDrawing.legend($0, all, words: self.words, isAlways: true)
    }
    let content: Markup = """
      <p class="hint">Three tracks: protection, page size, global bit. What is mapped lies side by side; holes are left out. \
      What is writable and executable is drawn, however small it is.</p>
      \(legends)\(rows)
      """
    return Markup.section("areas", "Area by area", content, &page)
  }

  /// What is allowed where, in bytes.
  func matrix(_ statistics: TableStatistics, _ page: inout Page) -> Markup {
    guard !statistics.areas.isEmpty else { return "" }
    let kinds = [(true, false), (true, true), (false, false), (false, true)].map {
      TableStatistics.Protection(write: $0.0, execute: $0.1)
    }
    let rows: [[Markup]] = statistics.areas.map { area in
      ["\(area.area)"]
        + kinds.map { kind in
          let bytes = area.byProtection[kind] ?? 0
          return .number(
            bytes == 0 ? "–" : bytes.readableSize, bytes,
            isBad: bytes > 0 && kind.write && kind.execute)
        }
    }
    let table = Markup.table(
      "Mapped memory by what is allowed",
      [
        "area", "writable", "writable and executable", "read-only", "read-only and executable",
      ], rows)
    let pages = WritableExecutable(subject.kernel).pages
    let line: Markup = """
      <p>Writable and executable: <b id="\(page.names.claim("wx-pages"))" data-n="\(pages)">\(pages)</b> pages of 4 KiB, after all levels.</p>

      """
    return Markup.section("matrix", "What may be written and run", line + table, &page)
  }
}
