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
    guard KernelText.matches(bytes) else {
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
    let text = KernelText.parse(bytes, mode: mode)
    var subject = try Subject(text: text, path: path, symbols: files)
    // Its other lines are its log.
    if text.otherLines > 0 {
      let log = LogReports(bytes: bytes)
      if !log.all.isEmpty { subject.takeReports(log) }
      subject.judgeSelfTests(SelfTestLog.parse(bytes))
    }
    return subject
  }

  /// A kernel log, or a CPA self-test as somebody pasted it; nil where the bytes are neither.
  private func logAlone(_ bytes: borrowing Span<UInt8>, path: String) -> Subject? {
    guard KernelLog.isText(bytes) else { return nil }
    let runs = SelfTestLog.parse(bytes)
    guard KernelLog.matches(bytes) || runs.contains(where: \.isMoreThanItsName) else { return nil }
    var subject = Subject(log: LogReports(bytes: bytes), path: path)
    subject.judgeSelfTests(runs)
    return subject
  }
}
