internal import KernelImages
package import MemoryImages
internal import PageTables

/// How every command combines an input with a log.
extension InputReader {
  /// Judges the input by the log that was given, else by its own.
  ///
  /// A log of another boot or release is not combined: the input is judged by its own log, and
  /// `logRefusal` says so in every report.
  ///
  /// - Throws: `ImageError` where the file that was given holds no kernel log.
  package func takeLog(_ subject: inout Subject) throws(ImageError) {
    let own = subject.isLogAlone ? nil : subject.log?.value
    if let (path, given) = try givenLog(beside: subject.log?.value) {
      guard let reason = subject.take(given, userRelease: release) else { return }
      subject.logRefusal = LogRefusal(path: path, reason: "it is of another boot: \(reason)")
    }
    guard let own else { return }
    if let reason = subject.take(log: own, userRelease: release) {
      subject.problems.append("its own log contradicts it: \(reason)")
    }
  }

  private func givenLog(
    beside own: String?
  ) throws(ImageError) -> (path: String, log: GivenLog)? {
    switch log {
    case nil: nil
    case .text(let text): (path: "given", log: GivenLog(text.utf8.span, beside: own))
    case .file(let path): (path: path, log: try GivenLog(path: path, beside: own))
    }
  }
}

extension Subject {
  /// Why a log is of another boot than these tables; nil where nothing contradicts.
  ///
  /// What a log does not tell contradicts nothing.
  package func contradiction(of log: String) -> String? {
    var reason: String?
    // After a crash the crash kernel's boot may follow; the last one that may be this is.
    for boot in LogText(log).boots.reversed() {
      guard let against = contradiction(of: boot) else { return nil }
      reason = reason ?? against
    }
    return reason
  }

  private func contradiction(of boot: LogBoot) -> String? {
    if let release = boot.release, let mine = facts.release?.value, release != mine {
      return "the log is of release \(release), the tables of \(mine)"
    }
    return boot.contradiction(of: mode) ?? factContradiction(boot) ?? memoryContradiction(boot)
      ?? ownLogContradiction(boot)
  }

  private func factContradiction(_ boot: LogBoot) -> String? {
    if let pti = facts.pti, pti.source != "assumed", let its = boot.pti, its != pti.value {
      return "page-table isolation is \(its ? "on" : "off") by the log, and not by the tables"
    }
    if let nx = facts.nx, nx.source != "assumed", let its = boot.noExecute, its != nx.value {
      return "the no-execute bit is \(its ? "on" : "off") by the log, and not by the tables"
    }
    guard let offset = boot.kernelOffset, let mine = facts.kaslrOffset?.value, mine != offset else {
      return nil
    }
    return "the log's kernel was moved by \(offset.entry), that of the tables by \(mine.entry)"
  }

  /// A 64-bit kernel maps all of its memory, to the byte, and nothing behind it.
  ///
  /// Source: `init_mem_mapping`, arch/x86/mm/init.c, 6.12.
  private func memoryContradiction(_ boot: LogBoot) -> String? {
    guard range == nil, let frames = boot.memoryFrames, let base = facts.directMap?.value,
      let end = directMapEnd
    else { return nil }
    let mapped = end &- base
    let told = frames &* mode.granule
    if mapped < told {
      return "by the log the memory ends at \(told.entry), by the direct map at \(mapped.entry)"
    }
    // Memory that came later, and that of devices, is mapped as well.
    guard mapped > told, !boot.mayHaveMoreMemory else { return nil }
    return "by the log the memory ends at \(told.entry), by the direct map at \(mapped.entry)"
  }

  /// Where the direct map of a 64-bit kernel ends; nil where it is not known.
  var directMapEnd: UInt64? {
    guard mode.top == ~0, kernel.name == "kernel", let area = kernel.layout.first(.directMap),
      !kernel.space.anomalies.contains(where: \.isUnseen)
    else { return nil }
    let leaves = kernel.space.runs(from: area.start, through: area.last).filter(\.isLeaf)
    guard let last = leaves.last?.last, last != ~0 else { return nil }
    // The dump of a user's twin holds a few of its pages alone.
    let mapped = leaves.reduce(UInt64(0)) { $0 &+ $1.size }
    return mapped > (last &- area.start) / 2 ? last &+ 1 : nil
  }

  private func ownLogContradiction(_ boot: LogBoot) -> String? {
    guard let own = log?.value, let mine = LogText(own).boots.last else { return nil }
    if let banner = mine.banner, let its = boot.banner, its != banner {
      return "the input's own log is of another build"
    }
    if let line = mine.commandLine, let its = boot.commandLine, its != line {
      return "the input's own log has another command line"
    }
    return nil
  }
}
