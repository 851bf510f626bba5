internal import KernelImages
internal import PageTables

/// Finds the lines of a kernel log that may tell something, for all who read it.
///
/// A log of 100 MB has some kilobytes of them.
package struct LogSieve {
  /// What some reader looks for.
  private static let marks = ByteMarks(
    LogReports.claims.flatMap(\.marks) + LogBoot.marks + SelfTestLog.marks + PoisonLog.marks
      + LogMention.allCases.map(\.rawValue) + architectures.flatMap(\.messages))

  /// The lines that one without a stamp may continue, or be continued by.
  private static let mostPieces = 16

  private var text: [UInt8] = []
  /// The line before, unless it is kept; empty where there is none.
  private var before = 0..<0
  /// How many lines without a stamp may still belong to the last line that is kept.
  private var pieces = 0

  /// The log with its other lines left blank, so that each line keeps its number.
  package static func text(of bytes: borrowing Span<UInt8>) -> String {
    var sieve = LogSieve()
    let wide = LogReader.widest(of: bytes).places
    var mark = -1
    var start = 0
    while start < bytes.count {
      let end = bytes.place(of: UInt8(ascii: "\n"), from: start, to: bytes.count)
      if mark < start {
        mark = marks.place(in: bytes, from: start, to: bytes.count) ?? bytes.count
      }
      sieve.take(bytes, start..<end, isMarked: mark < end, isWide: wide.contains(start))
      start = end + 1
    }
    return String(decoding: sieve.text, as: UTF8.self)
  }

  /// - Parameter isWide: whether it tells the column at which a console wraps lines.
  private mutating func take(
    _ bytes: borrowing Span<UInt8>, _ line: Range<Int>, isMarked: Bool, isWide: Bool
  ) {
    if !isMarked, !isWide, pieces == 0 || line.isEmpty {
      before = line
      text.append(UInt8(ascii: "\n"))
      return
    }
    let isStamped = LogLine(bytes, line.lowerBound, line.upperBound).isStamped
    if isMarked, !isStamped, !before.isEmpty {
      text.removeLast()
      text.append(bytes, before)
      text.append(UInt8(ascii: "\n"))
    }
    text.append(bytes, line)
    text.append(UInt8(ascii: "\n"))
    before = 0..<0
    // A line with a stamp ends the message before it, whatever it says, and so it is kept.
    pieces = isMarked ? Self.mostPieces : isStamped ? 0 : max(0, pieces - 1)
  }
}

extension Architecture {
  /// What is looked for in a log of its kernels.
  fileprivate var messages: [String] {
    lostProtectionMessages + sharingMessages + [protectionMessage].compactMap { $0 }
  }
}

/// A string that a rule, or a fact, asks a kernel log for.
///
/// Each has three bytes or more.
package enum LogMention: String, CaseIterable {
  case banner = "Linux version "
  case hyperV = "Hyper-V"
  case processors = " nr_cpu_ids:"
  case directRendering = "[drm]"
  case agp = "agpgart"
  case nvidia = "nvidia"
  case nvidiaResourceManager = "NVRM"
  case memoryAttributes = "MEMATTR="
  case patDisabled = "PAT support disabled"
  case patMissing = "PAT not supported"
  case patConfiguration = "x86/PAT: Configuration"
  case patEnabled = "x86 PAT enabled"
}

extension String {
  package func mentions(_ mention: LogMention) -> Bool { mentions(mention.rawValue) }
}
