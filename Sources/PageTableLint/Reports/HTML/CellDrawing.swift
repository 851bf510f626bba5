internal import PageTables

/// Rows of cells as paths of SVG: one a class, drawn as strokes along the rows.
enum CellDrawing {
  /// The cells of a grid, row by row.
  struct Grid {
    let cells: [CellFacts]
    let columns: Int
    var rows: Int { columns == 0 ? 0 : (cells.count + columns - 1) / columns }
  }

  /// The paths of a layer; hatched classes are drawn a second time with a hatch, and a line lies
  /// between neighbours whose colours do not contrast.
  ///
  /// - Parameters:
  ///   - row: the first row's place, for several layers in one picture.
  static func layer(
    _ layer: CellLayer, _ grid: Grid, row: Int = 0, names: inout ElementNames
  ) -> Markup {
    var paths = Array(repeating: "", count: layer.classes.count)
    // Where each path's pen is; nil before its first stroke in a row.
    var pens: [Int?] = Array(repeating: nil, count: layer.classes.count)
    var borders = ""
    for line in 0..<grid.rows {
      for index in pens.indices { pens[index] = nil }
      let cells = grid.cells[
        (line * grid.columns)..<min(grid.cells.count, (line + 1) * grid.columns)]
      var at = cells.startIndex
      var before: CellLayer.Class?
      while at < cells.endIndex {
        let kind = layer.index(of: cells[at])
        let drawn = kind.map { layer.classes[$0] }
        if let before, let drawn, !before.isPale, !drawn.isPale {
          borders += "M\(at - cells.startIndex) \(row + line)v1"
        }
        before = drawn
        var end = at + 1
        while end < cells.endIndex, layer.index(of: cells[end]) == kind { end += 1 }
        if let kind {
          let column = at - cells.startIndex
          if let pen = pens[kind] {
            paths[kind] += "m\(column - pen) 0h\(end - at)"
          } else {
            paths[kind] += "M\(column) \(row + line).5h\(end - at)"
          }
          pens[kind] = column + end - at
        }
        at = end
      }
    }
    var drawn: Markup = ""
    for (kind, path) in zip(layer.classes, paths) where !path.isEmpty {
      if kind.isHatched {
        let name = names.claim("p")
        drawn +=
          "<g class=\"s \(kind.style)\"><path class=\"h\" id=\"\(name)\" d=\"\(path)\"/></g><use href=\"#\(name)\" class=\"hx\"/>"
      } else {
        drawn += "<path class=\"s \(kind.style)\" d=\"\(path)\"/>"
      }
    }
    return drawn + border(borders)
  }

  /// Lines between neighbours.
  private static func border(_ path: String) -> Markup {
    path.isEmpty ? "" : "<path class=\"bd\" d=\"\(Markup(own: path))\"/>"
  }

  /// One row that is divided among a layer's classes, a thousand wide or a little more.
  ///
  /// - Parameter bytes: how much each class has.
  static func bar(_ layer: CellLayer, _ bytes: [UInt64], words: [String], label: String) -> Markup {
    let whole = Double(max(1, bytes.reduce(0, &+)))
    var at = 0
    var drawn: Markup = ""
    var borders = ""
    var said: [String] = []
    for (kind, bytes) in zip(layer.classes, bytes) where bytes > 0 {
      // However small, it is seen.
      let width = max(kind.isHatched ? 40 : 12, Int(Double(bytes) / whole * 1000))
      drawn += "<path class=\"s \(kind.style)\" d=\"M\(at) .5h\(width)\"/>"
      if kind.isHatched { drawn += "<path class=\"hx\" d=\"M\(at) .5h\(width)\"/>" }
      if at > 0 { borders += "M\(at) 0v1" }
      at += width
      said.append("\(bytes.readableSize) \(words[kind.fact.rawValue.trailingZeroBitCount])")
    }
    return picture(
      drawn + border(borders), columns: at, rows: 1, style: "bars",
      label: "\(label): \(said.joined(separator: ", "))")
  }

  /// A picture of rows.
  static func picture(_ content: Markup, columns: Int, rows: Int, style: String, label: String)
    -> Markup
  {
    """
    <svg class="\(style)" viewBox="0 0 \(max(1, columns)) \(max(1, rows))" preserveAspectRatio="none" \
    role="img" aria-label="\(label)">\(content)</svg>
    """
  }

  /// What each colour of a layer stands for, as far as it occurs.
  ///
  /// - Parameter isAlways: whether it is shown whichever layer was chosen.
  static func legend(
    _ layer: CellLayer, _ cells: [CellFacts], words: [String], isAlways: Bool = false
  ) -> Markup {
    let occurs = Set(cells.compactMap(layer.index))
    var items: Markup = ""
    for (index, kind) in layer.classes.enumerated() where occurs.contains(index) {
      let hatch: Markup = kind.isHatched ? "<path class=\"hx\" d=\"M0 .5h1\"/>" : ""
      items += """
        <li><svg class="sw" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">\
        <path class="s \(kind.style)" d="M0 .5h1"/>\(hatch)</svg>\
        \(words[kind.fact.rawValue.trailingZeroBitCount])</li>
        """
    }
    return "<ul class=\"legend \(isAlways ? "all" : "lg-\(layer.name)")\">\(items)</ul>"
  }

  /// Cells as a text: a letter for each set of facts, after the number of cells where it is not one.
  static func coded(_ cells: [CellFacts]) -> (text: String, sets: [UInt32]) {
    var text = String.UnicodeScalarView()
    var places: [CellFacts: Int] = [:]
    var sets: [UInt32] = []
    var at = 0
    while at < cells.count {
      var end = at + 1
      while end < cells.count, cells[end] == cells[at] { end += 1 }
      let place = places[cells[at]] ?? sets.count
      if place == sets.count {
        places[cells[at]] = place
        sets.append(cells[at].rawValue)
      }
      if end - at > 1 { text.append(contentsOf: String(end - at).unicodeScalars) }
      text.append(letter(place))
      at = end
    }
    return (String(text), sets)
  }

  /// `a` to `z`, `A` to `Z`, then ideographs, of which there are enough.
  private static func letter(_ place: Int) -> Unicode.Scalar {
    let value =
      place < 26 ? 0x61 + place : place < 52 ? 0x41 + place - 26 : 0x3400 + (place - 52) % 6000
    return Unicode.Scalar(UInt32(value)) ?? "?"
  }
}
