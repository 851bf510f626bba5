internal import KernelImages
internal import PageTables

extension InputSection {
  /// All findings: whole as far as the page has room, then in a line each, then their number.
  func findings(_ page: inout Page, _ areas: AreaPictures) -> Markup {
    guard !report.findings.isEmpty else {
      let hint: Markup = "<p class=\"hint\">None of the rules that ran found anything.</p>\n"
      return Markup.section("findings", "Findings", hint, &page)
    }
    var whole: Markup = ""
    var lines: Markup = ""
    var left = 0
    for finding in report.findings {
      let id = page.names.claim("\(finding.rule.id)-\(finding.fingerprint.prefix(8))")
      if finding.hasRange {
        page.data.add(find: [
          finding.start.entry, (finding.end &- 1).entry, id,
          "\(finding.title): \(finding.message.shortened(120))",
        ])
      }
      if whole.source.utf8.count < budget * 2 / 5 {
        whole += article(finding, id: id, &page, areas)
      } else if lines.source.utf8.count < budget / 12 {
        lines +=
          "<li id=\"\(id)\">\(finding.severity.rawValue): \(finding.title): \(finding.message.shortened(200))</li>\n"
      } else {
        left += 1
      }
    }
    if !lines.source.isEmpty {
      whole += "<h3>Further findings</h3><ul class=\"ev\">\(lines)</ul>\n"
    }
    if left > 0 {
      whole +=
        "<p class=\"more\">and \(left) more: <code class=\"cmd\">ptdump-lint check --format json \(subject.path.asShellWord.shortened())</code></p>\n"
    }
    return Markup.section("findings", "Findings", whole, &page)
  }

  /// One finding, whole.
  func article(_ finding: Judged, id: String, _ page: inout Page, _ areas: AreaPictures?) -> Markup
  {
    let walk = finding.walk(in: subject)
    let remark = finding.remark.map { " (\($0.shortened(200)))" } ?? ""
    let evidence: [Markup] = finding.evidence.prefix(40).map {
      "<li>\($0.text(finding.mode ?? mode).shortened(600))</li>"
    }
    return """
      <article class="find \(finding.severity.rawValue)\(finding.isOpen ? "" : " off")" id="\(id)" aria-labelledby="t-\(id)">
      <header><span class="sev">\(finding.severity.rawValue)\(remark)</span><span>\(finding.rule.id) <b>\(finding.rule.name)</b></span>\
      <a class="lk" href="#\(id)">#\(id)</a></header>
      <h3 id="t-\(id)">\(finding.message.shortened(600))</h3>
      \(place(finding, areas))
      <div class="cols"><div><h4>Evidence</h4><ul class="ev">\(evidence)</ul></div>
      <div>\(walk.map { steps($0, finding, id: id, &page) })</div></div>
      <p class="fix"><b>What to do:</b> \(finding.help.shortened(800))</p>
      \(ruleText(finding.rule, &page))
      <p class="src">fingerprint <code>\(finding.fingerprint)</code>\(commands(finding))</p>
      </article>

      """
  }

  /// Where a finding lies, and a bar of its area that shows it.
  private func place(_ finding: Judged, _ areas: AreaPictures?) -> Markup {
    guard finding.hasRange else { return "" }
    let mode = finding.mode ?? self.mode
    let table = finding.namedTable.map { ", \($0.name) table" } ?? ""
    let bytes = (finding.pages &* 4096).readableSize
    let line: Markup = """
      <p class="src"><code>\(mode.text(finding.start))</code> to <code>\(mode.text(finding.end))</code>: \
      <b data-n="\(finding.pages)">\(finding.pages.counted("page"))</b> (\(bytes)), \(finding.area)\(table)</p>
      """
    guard finding.table == subject.kernel.id, let area = areas?.area(at: finding.start) else {
      return line
    }
    var hits: Markup = ""
    var bins = Array(repeating: false, count: 1000)
    for extent in finding.extents {
      let first = area.thousandth(of: extent.lowerBound)
      let last = area.thousandth(of: extent.upperBound)
      guard first <= last else { continue }
      for bin in first...last { bins[bin] = true }
    }
    var at = 0
    while at < 1000 {
      guard bins[at] else {
        at += 1
        continue
      }
      var end = at
      while end < 1000, bins[end] { end += 1 }
      hits += "<path class=\"hit\" d=\"M\(at) 0h\(max(4, end - at))v8h-\(max(4, end - at))z\"/>"
      at = end
    }
    return line + """
      <svg class="where" viewBox="0 0 1000 8" preserveAspectRatio="none" role="img" \
      aria-label="Where in what is mapped of the \(finding.area) it lies"><path class="base" d="M0 0h1000v8h-1000z"/>\(hits)</svg>
      """
  }

  /// The walk, with the bits that decide marked.
  private func steps(_ walk: FindingWalk, _ finding: Judged, id: String, _ page: inout Page)
    -> Markup
  {
    var lines: Markup = ""
    let deciding = DecidingBits(finding.rule)
    for (step, owner) in zip(walk.result.steps, walk.owners) {
      let level = walk.mode.level(step.level).name
      page.data.add(word: [step.entry.entry, "\(level) entry in \(id)", id])
      if let owner {
        page.data.add(word: [owner, "\(owner): the \(level) table in \(id)", id])
      }
      lines += """
        <li><b>\(level)</b><span class="ix">[\(step.index)]</span> <code>\(step.entry.entry)</code> \
        \(deciding.chips(step, walk.mode)) <span class="own">\(owner.map { "in \($0)" } ?? "")</span></li>
        """
    }
    return """
      <h4>The walk of <code>\(walk.mode.text(walk.address))</code></h4><ol class="walk">\(lines)<li>\(walk.endWords)</li></ol>
      """
  }

  /// A rule's own text, once on a page.
  private func ruleText(_ rule: Rule, _ page: inout Page) -> Markup {
    if let place = page.rules[rule.id] {
      return "<p class=\"src\">About <a href=\"#\(place)\">\(rule.id)</a>: see above.</p>"
    }
    let id = page.names.claim("about-\(rule.id)")
    page.rules[rule.id] = id
    let parts: [Markup] = RulePage.sections(rule).map {
      "<h4>\($0.label)</h4><div class=\"rule\">\($0.text.reflowed())</div>"
    }
    return
      "<details id=\"\(id)\"><summary>What \(rule.id) is about: \(rule.summary)</summary>\(parts)</details>"
  }

  /// Lines for a shell.
  private func commands(_ finding: Judged) -> Markup {
    let path = subject.path.asShellWord.shortened(200)
    var lines = ["ptdump-lint explain \(finding.rule.id)"]
    if finding.hasRange, finding.report == nil {
      let table = finding.table == .kernel ? "" : subject.option(of: finding.table)
      lines.append(
        "ptdump-lint dump\(table) --range \(mode.text(finding.start))-\(mode.text(finding.end)) \(path)"
      )
      if subject.image != nil {
        lines.append("ptdump-lint walk\(table) \(path) \(mode.text(finding.start))")
      }
    }
    return "\(lines.map { line -> Markup in " · <code class=\"cmd\">\(line)</code>" })"
  }
}

extension Subject {
  /// How the command line names a table.
  fileprivate func option(of table: TableID) -> String {
    if case .process(let pid, _) = table { return " --table pid:\(pid)" }
    return " --table \(table.name)"
  }
}

extension FindingWalk {
  /// Where it leads.
  var endWords: String {
    switch result.end {
    case .leaf(let physical, let size):
      let access = result.steps.last?.access ?? []
      return "leads to \(physical.entry), a page of \(size.readableSize); all levels together: "
        + (access.isUser ? "user" : "kernel") + (access.isWritable ? ", writable" : ", read-only")
        + (access.isExecutable ? ", executable" : ", not executable")
    case .notPresent: return "leads nowhere: not present"
    case .reservedBits(let bits): return "faults: reserved bits \(bits.entry)"
    case .unreadable: return "leads to a table that is not in the image"
    case .notCanonical: return "not canonical"
    }
  }
}

/// Which attributes of an entry a rule's family is about.
struct DecidingBits {
  private let family: Character

  init(_ rule: Rule) { family = rule.id.dropFirst(2).first ?? "9" }

  private func decides(_ attribute: Attribute, _ mode: TableFormat, level: Int) -> Bool {
    switch family {
    case "0":
      return attribute.gives.contains(.write)
        || !attribute.takes.isDisjoint(with: [.executeInKernel, .executeInUser])
    case "1": return attribute.gives.contains(.user) || attribute.takes.contains(.executeInUser)
    case "2": return attribute.isGlobal
    case "4":
      let bits = mode.memoryTypes.map { level == 1 ? $0.inPage : $0.inLarge } ?? []
      return attribute.mask.nonzeroBitCount == 1 && bits.contains(attribute.mask)
    default: return false
    }
  }

  /// The names of a step's attributes; those that decide are marked, also where they are clear.
  func chips(_ step: WalkStep, _ mode: TableFormat) -> [Markup] {
    let kind = mode.classify(step.entry, level: step.level)
    return mode.attributes.filter { $0.levels.contains(step.level) }.compactMap { attribute in
      let test = kind == .table ? attribute.inTable : attribute.test
      let decides = decides(attribute, mode, level: step.level)
      // The global bit counts in leaves alone.
      let isAsked = decides && test != .never && !(kind == .table && attribute.isGlobal)
      if test.matches(step.entry) {
        return isAsked
          ? "<mark>\(attribute.set)</mark>" : "<span class=\"fl\">\(attribute.set)</span>"
      }
      return isAsked && kind != .invalid ? "<mark>no \(attribute.set)</mark>" : nil
    }
  }
}
