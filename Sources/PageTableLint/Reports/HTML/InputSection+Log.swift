internal import KernelImages
internal import KernelText
internal import PageTables

extension InputSection {
  /// What the log reports of page tables, in its order.
  func logReports(_ page: inout Page) -> Markup {
    let told = subject.told
    guard !told.isEmpty || subject.panic != nil else { return "" }
    let times = self.times(of: told.map(\.fault.line))
    var items: Markup = ""
    var left = subject.faultsLeftOut
    for judged in told {
      if items.source.utf8.count > budget / 5 {
        left += 1
      } else {
        items += item(judged, time: times[judged.fault.line], &page)
      }
    }
    let panic: Markup =
      subject.panic.map { "<p><b>The log says:</b> \($0.shortened())</p>" } ?? ""
    let more: Markup = left > 0 ? "<p class=\"more\">and \(left) more reports</p>" : ""
    let alone: Markup =
      subject.isLogAlone
      ? "<p class=\"hint\">No tables were given: judged by what the reports print.</p>" : ""
    let content: Markup =
      "\(alone)\(panic)<ol class=\"log\" data-n=\"\(told.count)\">\(items)</ol>\(more)\n"
    return Markup.section("reports", "Reports of the log", content, &page)
  }

  private func item(_ judged: FaultJudgement, time: String?, _ page: inout Page) -> Markup {
    let fault = judged.fault
    let mode = judged.mode(of: subject)
    let id = page.names.claim("line-\(fault.line)")
    if let address = judged.address {
      page.data.add(find: [
        (address & ~(mode.granule - 1)).entry, (address | (mode.granule - 1)).entry, id,
        "log line \(fault.line): \(judged.message.shortened(120))",
      ])
    }
    let entries: [Markup] = fault.entries.prefix(8).map { entry in
      page.data.add(word: [entry.value.entry, "\(entry.name) entry in log line \(fault.line)", id])
      let text: Markup = "<b>\(entry.name)</b> <code>\(entry.value.entry)</code>"
      return entry.name == judged.level
        ? "<li>\(text) <mark>decides</mark></li>" : "<li>\(text)</li>"
    }
    let evidence: [Markup] = TextReport.evidence(judged, mode: mode).map {
      "<li>\($0.shortened(500))</li>"
    }
    let walk: Markup = entries.isEmpty ? "" : "<ol class=\"walk\">\(entries)</ol>"
    let severity = judged.severity ?? .note
    return """
      <li id="\(id)" class="\(severity.rawValue)"><span class="sev">\(severity.rawValue)</span> \
      <span class="src">line \(fault.line)\(time.map { ", \($0)" } ?? "")</span><br>
      <b>\(judged.message.shortened(600))</b> <span class="own">\(judged.address.map(mode.text) ?? "")\(TextReport.place(of: judged))</span>
      <ul class="ev">\(evidence)</ul>\(walk)</li>

      """
  }

  /// The times that the log's own lines carry.
  private func times(of lines: [Int]) -> [Int: String] {
    guard let log = subject.log?.value, !lines.isEmpty else { return [:] }
    let wanted = Set(lines)
    var found: [Int: String] = [:]
    for (index, line) in log.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where wanted.contains(index + 1) {
      let bytes = Array(line.utf8)
      if let stamp = LogStamp.first(in: bytes.span, bytes.indices)?.stamp {
        found[index + 1] = stamp.text.split(separator: " ").joined(separator: " ") + " s"
      }
    }
    return found
  }

  /// The passes of the CPA self-test.
  func selfTests(_ page: inout Page) -> Markup {
    guard !subject.selfTests.isEmpty else { return "" }
    var content: Markup = ""
    for test in subject.selfTests.prefix(8) {
      content += """
        <p class="v v-\(test.verdict.rawValue)"><b>\(test.verdict.rawValue)</b> The self-test \(test.result.rawValue == "incomplete" ? "is not all in the log" : test.result.rawValue); \
        it tests the bit: \(test.testBit.rawValue) <span class="src">(\(test.testBitSource.shortened()))</span></p>
        \(causes(test))\(counts(test))
        """
      let notes: [Markup] = test.notes.prefix(12).map { "<li>\($0.shortened())</li>" }
      if !notes.isEmpty { content += "<ul class=\"ev\">\(notes)</ul>" }
    }
    if subject.selfTests.count > 8 {
      content += "<p class=\"more\">and \(subject.selfTests.count - 8) more passes</p>"
    }
    return Markup.section("self-test", "The CPA self-test", content, &page)
  }

  private func causes(_ test: SelfTestJudge.Judgement) -> Markup {
    var order: [SelfTestJudge.Cause] = []
    var groups: [SelfTestJudge.Cause: [SelfTestJudge.FailureJudgement]] = [:]
    for failure in test.failures {
      if groups[failure.cause] == nil { order.append(failure.cause) }
      groups[failure.cause, default: []].append(failure)
    }
    let items: [Markup] = order.compactMap { cause in
      guard let group = groups[cause], let first = group.first else { return nil }
      let shown: [Markup] = group.prefix(6).map { "<code>\($0.failure.address.address)</code> " }
      let more = group.count > 6 ? "and \(group.count - 6) more" : ""
      return """
        <li><b data-n="\(group.count)">\(group.count)</b> address\(group.count == 1 ? "" : "es"), \(cause.rawValue): \
        \(first.explanation.oneLine.shortened(800)) <span class="own">\(shown)\(more)</span></li>
        """
    }
    return items.isEmpty ? "" : "<ul class=\"ev\">\(items)</ul>\n"
  }

  private func counts(_ test: SelfTestJudge.Judgement) -> Markup {
    let lines = test.run.statistics.prefix(6)
    guard !lines.isEmpty else { return "" }
    let rows: [[Markup]] = lines.enumerated().map { index, line in
      ["\(index + 1)"]
        + [line.fourK, line.large, line.gigabyte, line.executable, line.missed].map {
          .number("\($0)", $0)
        }
    }
    return Markup.table(
      "What the test counted", ["count", "4K", "large", "1G", "executable", "missed"], rows)
  }
}
