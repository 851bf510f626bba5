internal import PageTables

/// What a kernel log says of pages whose memory failed.
package enum PoisonLog {
  package struct Line {
    package let number: Int
    let text: String
    let isMachineCheck: Bool
    /// Whether the kernel set out to take the page out of the direct map.
    var isTakenOut: Bool
  }

  /// What comes before the number, in the order in which a line is asked for them.
  static let marks = [
    "Could not invalidate pfn=", "Uncorrected hardware memory error in user-access at ",
    "Memory failure: ", "Unpoison: Software-unpoisoned page ",
  ]

  /// The pages by frame number; those that were given back are left out.
  package static func read(_ log: String) -> [UInt64: Line] {
    guard marks.contains(where: log.mentions) else { return [:] }
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
      if let frame = number(after: marks[0]) {
        take(frame, isMachineCheck: true)
        found[frame]?.isTakenOut = true
      } else if let address = number(after: marks[1]) {
        take(address >> 12, isMachineCheck: true)
      } else if let frame = number(after: marks[2]) {
        take(frame, isMachineCheck: false)
      } else if let frame = number(after: marks[3]) {
        found[frame] = nil
      }
    }
    return found
  }
}
