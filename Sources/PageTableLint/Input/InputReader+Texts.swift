internal import KernelImages
internal import KernelText
internal import MemoryImages
internal import PageTables

/// Text dumps, and kernel logs alone.
extension InputReader {
  /// - Parameter known: symbols in place of those that files tell.
  func dump(
    _ bytes: Span<UInt8>, path: String, symbols known: [Symbols]? = nil
  ) throws(ImageError) -> Subject {
    let read = KernelText.matches(bytes) ? KernelText.parse(bytes, mode: mode) : nil
    guard let text = wholeText(bytes, than: read) ?? read else {
      if let log = logAlone(bytes, path: path) { return log }
      throw ImageError(
        path, offset: 0,
        "neither a memory image (ELF core, kdump, LiME, AVML), a page-table dump nor a kernel log",
        advice: "give one (docs/inputs.md tells what is read), or --base ADDRESS for raw memory")
    }
    guard table == .kernel else {
      throw ImageError(
        path, "no table \(table.text) in it: a text dump holds one table",
        advice: "give the dump of that table, or a memory image")
    }
    var files = known ?? []
    if known == nil { files = try symbolFiles() }
    // Its other lines are its log.
    let lines = text.otherLines > 0 ? LogSieve.text(of: bytes) : nil
    let log = lines.map { LogReports($0) }
    let told = log?.release.map { Fact($0, "the dump's own log") }
    var subject = try Subject(
      text: text, path: path, symbols: files,
      release: told ?? release.map { Fact($0, "--release") })
    if let lines, let log {
      if !log.all.isEmpty { subject.takeReports(log) }
      subject.judgeSelfTests(SelfTestLog.parse(lines))
    }
    return subject
  }

  /// What a text shows whose lines were cut, encoded, or put behind something; nil where it shows no
  /// more than as it lies.
  private func wholeText(_ bytes: borrowing Span<UInt8>, than read: KernelText?) -> KernelText? {
    let isWhole = read?.space.anomalies.contains { $0.kind == .unreadableLine } == false
    guard !isWhole, KernelLog.isText(bytes), let lines = KernelText.wholeLines(of: bytes),
      KernelText.matches(lines.span)
    else { return nil }
    let text = KernelText.parse(lines.span, mode: mode)
    return text.space.runs.count > read?.space.runs.count ?? 0 ? text : nil
  }

  /// A kernel log, or a CPA self-test as somebody pasted it; nil where the bytes are neither.
  private func logAlone(_ bytes: borrowing Span<UInt8>, path: String) -> Subject? {
    guard let log = KernelLog(bytes) else { return nil }
    var subject = Subject(log: log.reports, path: path, release: release)
    subject.judgeSelfTests(log.selfTests)
    return subject
  }
}
