internal import KernelImages
internal import PageTables

/// One input's part of a page.
struct InputSection {
  let report: Linter.Report
  let budget: Int
  var subject: Subject { report.subject }
  var mode: TableFormat { report.subject.mode }
  /// What each fact of a cell is called.
  let words: [String]

  init(_ report: Linter.Report, budget: Int) {
    self.report = report
    self.budget = budget
    words = CellFacts.words(report.subject.mode)
  }

  var title: Markup { "<h2>\(subject.path.shortened())</h2>\(Self.chips(report))" }

  func markup(_ page: inout Page) -> Markup {
    var parts: Markup = ""
    let statistics = subject.isLogAlone ? nil : TableStatistics(subject.kernel)
    let areas = AreaPictures(subject, most: budget / 6)
    let findings = self.findings(&page, areas)
    if !areas.areas.isEmpty { parts += strip(areas, &page) }
    parts += findings
    parts += logReports(&page)
    parts += selfTests(&page)
    if let statistics {
      parts += directMap(statistics, &page)
      parts += areaList(areas, statistics, &page)
      parts += matrix(statistics, &page)
    }
    parts += processes(&page)
    parts += memoryMap(&page)
    parts += facts(&page)
    parts += skipped(&page)
    return parts
  }

  /// What the input is, in a few words each.
  ///
  /// - Parameter countsRules: whether rules ran at all.
  static func chips(_ report: Linter.Report, countsRules: Bool = true) -> Markup {
    let subject = report.subject
    var chips: [Markup] = []
    if let release = subject.facts.release?.value {
      chips.append("<li>Linux \(release.shortened(80))</li>")
    }
    chips.append("<li>\(subject.mode.name)</li><li>\(subject.format)</li>")
    if subject.isLogAlone {
      chips.append("<li class=\"no\">a kernel log alone: no tables were seen</li>")
    } else {
      let names = subject.tables.prefix(8).map(\.name).joined(separator: ", ")
      let more = subject.tables.count > 8 ? " and \(subject.tables.count - 8) more" : ""
      chips.append("<li>tables: \(names)\(more)</li>")
    }
    if let range = subject.range {
      chips.append(
        "<li class=\"no\">only \(subject.mode.text(range.lowerBound))-\(subject.mode.text(range.upperBound &+ 1))</li>"
      )
    }
    if let filter = subject.filter { chips.append("<li class=\"no\">only \(filter.text)</li>") }
    chips.append(
      report.isIncomplete
        ? "<li class=\"no\">read in part</li>" : "<li class=\"ok\">read whole</li>")
    if countsRules {
      chips.append("<li>\(report.rulesRun) rules ran, \(report.skipped.count) could not</li>")
    }
    for test in subject.selfTests.prefix(1) {
      chips.append("<li>CPA self-test: \(test.verdict.rawValue)</li>")
    }
    let remarks = (report.remarks + [report.incompleteness].compactMap { $0 }).prefix(20)
      .map { remark -> Markup in "<li>\(remark.shortened())</li>" }
    return "<ul class=\"chips\">\(chips)</ul>"
      + (remarks.isEmpty ? "" : "<ul class=\"ev\">\(remarks)</ul>")
  }
}
