internal import PageTables

/// Finds the CPA self-test in a kernel log, a mail, or what else somebody pasted.
package enum SelfTestLog {
  /// Longer lines are read in pieces, so that a file without line breaks needs no more memory.
  private static let longestPiece = 4096

  /// Strings of which a line has one that begins a string of the test, or of what is told by it.
  static let marks = [
    "CPA", "4k ", "4k\n", "4k\r", "4k\t", "4k\u{a0}", "NOT", "level", "ok.", "Linux", "printk",
    "ainted", "Booting", "Hypervisor",
  ]

  /// Words of which each string that makes a pass has one.
  private static let words = ["CPA", "4k", "PASSED", "PSE"]

  /// Returns the passes of the test in the order of the text, none where the text holds none.
  package static func parse(_ text: String) -> [SelfTestRun] {
    var text = text
    text.makeContiguousUTF8()
    return parse(text.utf8.span)
  }

  /// Returns the passes of the test that a text's bytes hold.
  package static func parse(_ bytes: borrowing Span<UInt8>) -> [SelfTestRun] {
    guard words.contains(where: { bytes.mentions($0) }) else { return [] }
    var collector = SelfTestCollector()
    // Tokens that may be the first half of a string that a mailer wrapped.
    var tokens: [LogToken] = []
    var stamped = false
    var number = 0
    var start = 0
    var isRest = false
    let count = bytes.count
    while start < count {
      if !isRest, bytes[start] == UInt8(ascii: "\n") {
        number += 1
        start += 1
        continue
      }
      let most = min(count, start + longestPiece)
      let end = bytes.place(of: UInt8(ascii: "\n"), from: start, to: most)
      let isWhole = end == count || bytes[end] == UInt8(ascii: "\n")
      if !isRest { number += 1 }
      let line = LogLine(bytes, start, end, isRest: isRest)
      if line.start < line.end {
        if line.isStamped, !tokens.isEmpty {
          collect(bytes, &tokens, isFinal: true, stamped, &collector)
        }
        if !tokens.isEmpty || line.mayMatter(bytes) {
          if tokens.isEmpty { stamped = line.isStamped }
          line.tokenize(bytes, line: number, into: &tokens)
          collect(bytes, &tokens, isFinal: false, stamped, &collector)
        }
      }
      start = isWhole ? end + 1 : end
      isRest = !isWhole
    }
    collect(bytes, &tokens, isFinal: true, stamped, &collector)
    return collector.finish()
  }

  /// Takes the events out of the tokens and leaves those of an event that is not whole yet.
  private static func collect(
    _ bytes: borrowing Span<UInt8>, _ tokens: inout [LogToken], isFinal: Bool, _ stamped: Bool,
    _ collector: inout SelfTestCollector
  ) {
    var index = 0
    while index < tokens.count {
      var grammar = SelfTestGrammar(index: index)
      do {
        let event = try grammar.event(bytes, tokens)
        collector.take(event, line: tokens[index].line, stamped: stamped)
        index = max(grammar.index, index + 1)
      } catch .cut(let event) {
        if !isFinal {
          tokens.removeFirst(index)
          return
        }
        // Only the end is lost: what was read is a complaint already.
        if let event { collector.take(event, line: tokens[index].line, stamped: stamped) }
        index = event == nil ? index + 1 : max(grammar.index, index + 1)
      } catch {
        index += 1
      }
    }
    tokens.removeAll(keepingCapacity: true)
  }
}
