package import MemoryImages
internal import PageTables

/// A log that was given beside an input, as far as it may tell something of the input's boot.
package struct GivenLog: Sendable {
  /// Its lines that may, each in its place.
  package let text: String
  /// Why it is of another boot than the input's own log; nil where nothing speaks against it.
  let contradiction: String?

  /// - Parameter own: the input's own log.
  package init(_ log: borrowing Span<UInt8>, beside own: String?) {
    guard let own else {
      text = LogSieve.text(of: log)
      contradiction = nil
      return
    }
    if log.isSame(as: own.utf8.span) {
      text = own
      contradiction = nil
      return
    }
    let whole = log.count
    let part = LogTimes(log).end(ofBootOf: LogTimes(own.utf8.span))
    text = LogSieve.text(of: log.extracting(0..<(part.end ?? whole)))
    contradiction = part.contradiction
  }

  /// Reads a file that holds a kernel log.
  ///
  /// - Throws: `ImageError` where it cannot be read, or holds none.
  package init(path: String, beside own: String?) throws(ImageError) {
    let file = try ImageFile.content(path: path, limit: UInt64(InputReader.textLimit))
    self = try file.withText(limit: InputReader.textLimit) { bytes throws(ImageError) in
      guard KernelLog.matches(bytes) else {
        throw ImageError(
          path, "no kernel log in it", advice: "give what dmesg or the console printed")
      }
      return GivenLog(bytes, beside: own)
    }
  }
}
