internal import PageTables

/// What a kernel log says of pages whose memory failed.
enum PoisonLog {
  struct Line {
    let number: Int
    let text: String
    let isMachineCheck: Bool
    /// Whether the kernel set out to take the page out of the direct map.
    var isTakenOut: Bool
  }

  /// The pages by frame number; those that were given back are left out.
  static func read(_ log: String) -> [UInt64: Line] {
    var found: [UInt64: Line] = [:]
    for (index, text) in log.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      func number(after mark: String) -> UInt64? {
        guard let range = text.place(of: mark) else { return nil }
        let rest = text[range.upperBound...]
        let digits = (rest.hasPrefix("0x") ? rest.dropFirst(2) : rest).prefix(while: \.isHexDigit)
        return UInt64(digits, radix: 16)
      }
      func take(_ frame: UInt64, isMachineCheck: Bool) {
        let before = found[frame]
        let isRecovered = text.hasSuffix(": Recovered")
        found[frame] = Line(
          number: index + 1, text: String(text.prefix(100)),
          isMachineCheck: isMachineCheck || before?.isMachineCheck == true,
          isTakenOut: isRecovered || before?.isTakenOut == true)
      }
      if let frame = number(after: "Could not invalidate pfn=") {
        take(frame, isMachineCheck: true)
        found[frame]?.isTakenOut = true
      } else if let address = number(after: "Uncorrected hardware memory error in user-access at ")
      {
        take(address >> 12, isMachineCheck: true)
      } else if let frame = number(after: "Memory failure: ") {
        take(frame, isMachineCheck: false)
      } else if let frame = number(after: "Unpoison: Software-unpoisoned page ") {
        found[frame] = nil
      }
    }
    return found
  }
}
