internal import KernelImages
internal import PageTables

/// `diff --format html`: both inputs' areas aligned by offset, and what changed, folded into kinds.
package enum DifferencePage {
  private static let mostKinds = 200

  package static func make(_ difference: Difference, version: String) throws -> String {
    var page = Page()
    let verdict: Page.Verdict =
      switch difference.status {
      case 0: .passed
      case 3: .partial
      default: .failed
      }
    let kinds = DifferenceReport.grouped(difference.changes)
    var body = inputs(difference, &page)
    body += strips(difference, &page)
    body += changes(kinds, difference, &page)
    body += findings(difference.newFindings, "new", "New findings", difference.new, &page)
    body += findings(
      difference.goneFindings, "gone", "Findings that are gone", difference.old, &page)
    body += notCompared(difference, &page)
    let count = difference.changes.count
    let headline =
      difference.status == 0
      ? "No difference"
      : "\(count.counted("change")) of \(kinds.count.counted("kind")), "
        + "\(difference.newFindings.count.counted("new finding")), \(difference.goneFindings.count) gone"
    let summary = DifferenceReport.summary(difference, style: TextStyle(color: false))
    let paths = (difference.old.subject.path, difference.new.subject.path)
    let heading: Markup = """
      <h1>\(headline)</h1>
      <p class="sub">from \(Markup.path(paths.0)) to \(Markup.path(paths.1))</p>
      <p class="sub" id="summary">\(summary)</p>
      """
    return try page.rendered(
      title: "\(paths.0) and \(paths.1): \(summary)".shortened(200), verdict: verdict,
      version: version, heading: heading, body: body)
  }

  private static func inputs(_ difference: Difference, _ page: inout Page) -> Markup {
    let rows: [[Markup]] = [("old", difference.old), ("new", difference.new)].map { name, report in
      let subject = report.subject
      return [
        "\(name)", Markup.path(subject.path), "\(subject.format)", "\(subject.mode.name)",
        "\(subject.facts.release?.value.shortened(60) ?? "unknown")",
        "\(report.isIncomplete ? "in part" : "whole")",
      ]
    }
    let table = Markup.table(
      difference.isOneBoot
        ? "Both are of one boot: addresses mean the same in both"
        : "Areas are aligned, whatever KASLR did",
      ["", "input", "format", "paging mode", "release", "read"], rows)
    return Markup.section("inputs", "Inputs", table, &page)
  }

  // MARK: - Strips

  /// Each area that is compared by place: what it was, what it is, and where the two differ.
  private static func strips(_ difference: Difference, _ page: inout Page) -> Markup {
    var names: [String] = []
    for change in difference.changes where change.offset != nil && change.table == "kernel" {
      if !names.contains(change.area) { names.append(change.area) }
    }
    var rows: Markup = ""
    var occurs: [CellFacts] = []
    for name in names.prefix(24) {
      guard let strip = Strip(name, difference) else { continue }
      occurs += strip.old + strip.new
      let count = strip.old.count
      var tracks = CellDrawing.layer(
        .protection, CellDrawing.Grid(cells: strip.old, columns: count), names: &page.names)
      tracks += CellDrawing.layer(
        .protection, CellDrawing.Grid(cells: strip.new, columns: count), row: 1,
        names: &page.names)
      tracks += "<path class=\"s is\" d=\"\(strip.changedPath(row: 2))\"/>"
      let picture = CellDrawing.picture(
        tracks, columns: count, rows: 3, style: "tracks",
        label: "\(name): what it was, what it is, and where they differ")
      let id = page.names.claim("area-\(name)")
      rows += """
        <div class="area" id="\(id)"><div><b>\(name)</b><code>+\(strip.first.entry)</code></div>\(picture)
        <div><b>\(strip.size.readableSize)</b><span>of it changed: \(strip.changed.readableSize)</span></div></div>

        """
    }
    guard !rows.source.isEmpty else { return "" }
    let legend = CellDrawing.legend(
      .protection, occurs, words: CellFacts.words(difference.new.subject.mode), isAlways: true)
    let content: Markup = """
      <p class="hint">Three tracks: the old input, the new one, and where they differ; aligned by the distance from the area's start.</p>
      \(legend)\(rows)
      """
    return Markup.section("map", "Side by side", content, &page)
  }

  /// One area of both inputs in bins.
  private struct Strip {
    private(set) var old: [CellFacts]
    private(set) var new: [CellFacts]
    private var isChanged: [Bool]
    private(set) var changed: UInt64 = 0
    /// Distances from the area's base.
    let first: UInt64
    private let last: UInt64
    var size: UInt64 { last - first + 1 }
    private static let bins = 400

    init?(_ name: String, _ difference: Difference) {
      let sides = [difference.old.subject, difference.new.subject].map { subject in
        Self.leaves(name, subject)
      }
      let changes = difference.changes.filter { $0.area == name && $0.table == "kernel" }
      let ends = sides.flatMap { side in
        [
          side.runs.first.map { $0.start &- side.base },
          side.runs.last.map { $0.last &- side.base },
        ]
        .compactMap { $0 }
      }
      guard let low = ends.min(), let high = ends.max(), low < high else { return nil }
      first = low
      last = high
      old = Array(repeating: [], count: Self.bins)
      new = old
      isChanged = Array(repeating: false, count: Self.bins)
      let modes = (difference.old.subject.mode, difference.new.subject.mode)
      for run in sides[0].runs {
        for bin in bins(run.start &- sides[0].base, run.last &- sides[0].base) {
          old[bin].insert(CellFacts(run, modes.0))
        }
      }
      for run in sides[1].runs {
        for bin in bins(run.start &- sides[1].base, run.last &- sides[1].base) {
          new[bin].insert(CellFacts(run, modes.1))
        }
      }
      for change in changes {
        guard let offset = change.offset, change.size > 0 else { continue }
        changed &+= change.size
        for bin in bins(offset, offset &+ (change.size - 1)) { isChanged[bin] = true }
      }
    }

    private func bins(_ from: UInt64, _ through: UInt64) -> ClosedRange<Int> {
      func bin(_ offset: UInt64) -> Int {
        let inside = min(max(offset, first), last) - first
        return min(Self.bins - 1, Int(Double(inside) / Double(size) * Double(Self.bins)))
      }
      let low = bin(from)
      return low...max(low, bin(through))
    }

    private static func leaves(_ name: String, _ subject: Subject) -> (base: UInt64, runs: [Run]) {
      guard let area = subject.kernel.layout.areas.first(where: { $0.name == name }) else {
        return (0, [])
      }
      let base = area.kind.role == .image ? subject.imageStart ?? area.start : area.start
      return (
        base, subject.kernel.layout.runs(area.kind, in: subject.kernel.space).filter(\.isLeaf)
      )
    }

    func changedPath(row: Int) -> String {
      isChanged.indices.filter { isChanged[$0] }.map { "M\($0) \(row).5h1" }.joined()
    }
  }

  // MARK: - Changes and findings

  private static func changes(
    _ kinds: [[Difference.Change]], _ difference: Difference, _ page: inout Page
  ) -> Markup {
    guard !kinds.isEmpty else { return "" }
    let rows: [[Markup]] = kinds.prefix(mostKinds).compactMap { group in
      guard let first = group.first else { return nil }
      let total = group.reduce(UInt64(0)) { $0 &+ $1.size }
      let table = first.table == "kernel" ? "" : " (\(first.table) table)"
      let places: [Markup] = group.prefix(3).compactMap { change in
        change.offset.map { "<code>+\($0.entry)</code> " }
      }
      return [
        "<span class=\"kind \(first.kind.rawValue)\">\(first.kind.rawValue)</span>",
        "\(first.area)\(table)", "<code>\(DifferenceReport.what(first).shortened(200))</code>",
        .number(total.readableSize, total), .number("\(group.count)", UInt64(group.count)),
        "\(places)",
      ]
    }
    let table = Markup.table(
      "Changes that say the same of different places are one kind",
      ["change", "area", "what", "size", "places", "first at"], rows)
    let more: Markup =
      kinds.count > mostKinds
      ? "<p class=\"more\">and \(kinds.count - mostKinds) more kinds: <code class=\"cmd\">ptdump-lint diff --format json</code></p>"
      : ""
    let count: Markup =
      "<p><b id=\"changes-count\" data-n=\"\(difference.changes.count)\">\(difference.changes.count)</b> places differ.</p>\n"
    return Markup.section("changes", "What changed", count + table + more, &page)
  }

  private static func findings(
    _ findings: [Judged], _ name: String, _ title: String, _ report: Linter.Report,
    _ page: inout Page
  ) -> Markup {
    guard !findings.isEmpty else { return "" }
    let section = InputSection(report, budget: CheckPage.budget)
    var articles: Markup = ""
    var left = 0
    for finding in findings {
      if articles.source.utf8.count < CheckPage.budget / 5 {
        let id = page.names.claim("\(finding.rule.id)-\(finding.fingerprint.prefix(8))")
        articles += section.article(finding, id: id, &page, nil)
      } else {
        left += 1
      }
    }
    if left > 0 { articles += "<p class=\"more\">and \(left) more</p>" }
    return Markup.section("\(name)-findings", "\(title): \(findings.count)", articles, &page)
  }

  private static func notCompared(_ difference: Difference, _ page: inout Page) -> Markup {
    var items: [Markup] = difference.notCompared.map { "<li>\($0.what): \($0.reason)</li>" }
    if difference.mayBeSelfTests {
      items.append(
        "<li>a CPA self-test splits pages at random; give --log, which tells whether it ran</li>")
    }
    guard !items.isEmpty else { return "" }
    return Markup.section(
      "not-compared", "What was not compared", "<ul class=\"ev\">\(items)</ul>\n", &page)
  }
}

/// `fault --format html`: the reports of one log, each explained.
package enum FaultPage {
  package static func make(_ subject: Subject, version: String) throws -> String {
    var page = Page()
    let report = Linter.Report(subject: subject, findings: [], skipped: [], rules: [])
    let section = InputSection(report, budget: CheckPage.budget * 3)
    let count = subject.told.count + subject.faultsLeftOut
    let worst = subject.told.compactMap(\.severity).max() ?? .note
    var body = section.logReports(&page)
    if count == 0 {
      body += "<p>The log reports nothing of page tables.</p>"
    }
    body += section.facts(&page)
    let headline = "\(count.counted("report")) of page tables"
    let heading: Markup = """
      <h1>\(headline)</h1>
      <p class="sub">\(Markup.path(subject.path))</p>
      \(InputSection.chips(report, countsRules: false))
      """
    return try page.rendered(
      title: "\(subject.path): \(headline)".shortened(200),
      verdict: worst > .note ? .failed : subject.isComplete ? .passed : .partial,
      version: version, heading: heading, body: body)
  }
}
