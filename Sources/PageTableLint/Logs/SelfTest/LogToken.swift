/// A word, a number or a mark of a log line.
struct LogToken {
  /// The words that the self-test's strings are made of.
  enum Word {
    case other, cpa, fourK, selfWord, test, bad, pte, after, revert, unexpected, level, lookup, of
    case failed, reverting, everything, but, not, pse, maxMapped, expected, cannot, vmalloc, bitmap
    case large, gb, x, miss, ok, passedCaps, notCaps, please, report, mapping, exercising, pageattr
    case selftests, no, linux, version, messages, dropped, printk, tainted, booting
    case paravirtualized, kernel, on, xen, hvm, pvh, hypervisor, detected, pv
    case colon, dash, open, close, dot
  }

  var word: Word
  var start: Int
  var end: Int
  var line: Int
  var isFirst: Bool

  /// A word of up to 16 bytes in two registers, so that a log's words are looked up quickly.
  private struct Key: Hashable {
    var low: UInt64 = 0
    var high: UInt64 = 0

    mutating func append(_ byte: UInt8) {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
  }

  private static let words: [Key: Word] = {
    let list: [(String, Word)] = [
      ("CPA", .cpa), ("4k", .fourK), ("self", .selfWord), ("test", .test), ("bad", .bad),
      ("pte", .pte), ("after", .after), ("revert", .revert), ("unexpected", .unexpected),
      ("level", .level), ("lookup", .lookup), ("of", .of), ("failed", .failed),
      ("reverting", .reverting), ("everything", .everything), ("but", .but), ("not", .not),
      ("PSE", .pse), ("max_pfn_mapped", .maxMapped), ("max_mapped", .maxMapped),
      ("expected", .expected), ("Cannot", .cannot), ("vmalloc", .vmalloc), ("bitmap", .bitmap),
      ("large", .large), ("gb", .gb), ("x", .x), ("miss", .miss), ("ok", .ok),
      ("PASSED", .passedCaps), ("NOT", .notCaps), ("Please", .please), ("report", .report),
      ("mapping", .mapping), ("exercising", .exercising), ("pageattr", .pageattr),
      ("selftests", .selftests), ("no", .no), ("Linux", .linux), ("version", .version),
      ("messages", .messages), ("dropped", .dropped), ("printk", .printk), ("Tainted", .tainted),
      ("tainted", .tainted), ("Booting", .booting), ("paravirtualized", .paravirtualized),
      ("kernel", .kernel), ("on", .on), ("Xen", .xen), ("HVM", .hvm), ("PVH", .pvh),
      ("Hypervisor", .hypervisor), ("detected", .detected), ("PV", .pv),
      (":", .colon), ("-", .dash), ("[", .open), ("]", .close), (".", .dot),
    ]
    var words: [Key: Word] = [:]
    for (text, word) in list {
      var key = Key()
      for byte in text.utf8 { key.append(byte) }
      words[key] = word
    }
    return words
  }()

  static func classify(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> Word {
    guard end - start <= 16, isInitial(bytes[start]) else { return .other }
    var key = Key()
    for index in start..<end { key.append(bytes[index]) }
    return words[key] ?? .other
  }

  /// Whether some word begins with a byte; most numbers are told by that.
  private static func isInitial(_ byte: UInt8) -> Bool {
    byte < UInt8(ascii: "0") || byte == UInt8(ascii: "4") || byte > UInt8(ascii: "9")
  }
}

/// Splits a line of a log into words, numbers and marks.
extension LogLine {
  /// Whether a string of the self-test may begin in the line.
  func mayMatter(_ bytes: borrowing Span<UInt8>) -> Bool {
    var position = start
    while position + 1 < end {
      let next = bytes[position + 1]
      switch bytes[position] {
      case UInt8(ascii: "C") where next == UInt8(ascii: "P"): return true
      case UInt8(ascii: "4") where next == UInt8(ascii: "k"): return true
      case UInt8(ascii: "N") where next == UInt8(ascii: "O"): return true
      case UInt8(ascii: "l") where next == UInt8(ascii: "e") && at(bytes, position + 2, "v"):
        return true
      case UInt8(ascii: "L") where next == UInt8(ascii: "i") && at(bytes, position + 2, "n"):
        return true
      case UInt8(ascii: "t") where next == UInt8(ascii: "k") || next == UInt8(ascii: "e"):
        if next == UInt8(ascii: "k") || at(bytes, position + 2, "d") { return true }
        position += 1
      case UInt8(ascii: "B") where next == UInt8(ascii: "o") && at(bytes, position + 2, "o"):
        return true
      case UInt8(ascii: "o") where position == start && next == UInt8(ascii: "k"): return true
      default: position += 1
      }
    }
    return endsInAddress(bytes)
  }

  private func at(
    _ bytes: borrowing Span<UInt8>, _ position: Int, _ scalar: Unicode.Scalar
  ) -> Bool {
    position < end && bytes[position] == UInt8(ascii: scalar)
  }

  /// Whether the last word may be the address of `%lx level %d but not PSE`, cut by a wrap.
  private func endsInAddress(_ bytes: borrowing Span<UInt8>) -> Bool {
    var position = end
    while position > start, bytes[position - 1] <= 0x20 { position -= 1 }
    if position - start >= 2, bytes[position - 1] == 0xa0, bytes[position - 2] == 0xc2 {
      position -= 2
    }
    guard position - start >= 8 else { return false }
    for index in position - 8..<position where !isHexDigit(bytes[index]) { return false }
    return true
  }

  /// Appends the line's tokens.
  func tokenize(_ bytes: borrowing Span<UInt8>, line: Int, into tokens: inout [LogToken]) {
    var position = start
    var isFirst = !isRest
    while true {
      position = Self.skipBlanks(bytes, position, end)
      guard position < end else { return }
      let begin = position
      while position < end, isWordByte(bytes[position]),
        Self.blankLength(bytes, position, end) == 0
      {
        position += 1
      }
      if position == begin { position += 1 }
      tokens.append(
        LogToken(
          word: LogToken.classify(bytes, begin, position), start: begin, end: position,
          line: line, isFirst: isFirst))
      isFirst = false
    }
  }
}

private func isWordByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...0xff:
    return true
  default: return false
  }
}
