internal import PageTables

/// One message of a kernel log, whole: what printk wrote in one call, as far as the text holds it.
struct LogMessage: Sendable, Equatable {
  /// The line of the text that begins it, from 1.
  var line: Int
  /// Without stamps, quoting and encodings; wrapped lines are joined.
  var text: String
  /// The caller field (`T123`, `C0`) by which interleaved messages are told apart.
  var caller: String?
  /// Whether printk's stamp or another prefix showed that a message begins here.
  var isStamped: Bool
  /// Whether its end is known to be lost: a soft line break whose next line is missing.
  var isCut = false
}

/// What takes a log's messages, one after the other.
protocol LogMessageConsumer {
  mutating func take(_ message: LogMessage)
}

/// Reads a kernel log as it is posted: quoted, stamped, prefixed, encoded and wrapped.
///
/// Only lines that hold one of the claims' marks, and their continuations, are looked at closely:
/// the rest of a log costs one pass over its bytes.
struct LogReader {
  /// Longer lines are not the kernel's.
  private static let longestLine = 2048
  /// The lines that one message may be wrapped into.
  private static let mostPieces = 8

  private let marks: LogMarks
  private var pending: LogMessage?
  /// The last piece of `pending`.
  private var last = LogPiece()
  private var pieces = 0
  /// The length of the text's longest line, where a console may have wrapped at it; else 0.
  private let column: Int

  /// Hands each message that may matter to `consumer`, in the order of the text.
  static func read(
    _ bytes: borrowing Span<UInt8>, marks: LogMarks,
    into consumer: inout some LogMessageConsumer
  ) {
    var reader = LogReader(marks: marks, column: widest(of: bytes).column)
    var start = 0
    var number = 0
    while start < bytes.count {
      if reader.pending == nil, bytes[start] == UInt8(ascii: "\n") {
        number += 1
        start += 1
        continue
      }
      let end = bytes.place(of: UInt8(ascii: "\n"), from: start, to: bytes.count)
      number += 1
      if end - start <= longestLine,
        reader.pending != nil || marks.mayMatter(bytes, start, end)
      {
        reader.takeLine(bytes, start, end, number, &consumer)
      } else {
        reader.flush(&consumer)
      }
      start = end + 1
    }
    reader.flush(&consumer)
  }

  private init(marks: LogMarks, column: Int) {
    self.marks = marks
    self.column = column
  }

  /// The column at which a console may have wrapped: the length of the longest lines, where several
  /// are as long; else 0.
  ///
  /// - Returns: with it where the first two of those lines begin, which tell it.
  static func widest(of bytes: borrowing Span<UInt8>) -> (column: Int, places: [Int]) {
    var longest = 0
    var places: [Int] = []
    var start = 0
    while start < bytes.count {
      if bytes[start] == UInt8(ascii: "\n") {
        start += 1
        continue
      }
      let end = bytes.place(of: UInt8(ascii: "\n"), from: start, to: bytes.count)
      guard end < bytes.count else { break }
      let hasReturn = end > start && bytes[end - 1] == UInt8(ascii: "\r")
      let length = end - start - (hasReturn ? 1 : 0)
      if length > longest { (longest, places) = (length, []) }
      if length == longest, places.count < 2 { places.append(start) }
      start = end + 1
    }
    return (places.count > 1 && (40...400).contains(longest) ? longest : 0, places)
  }

  private mutating func takeLine(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int, _ number: Int,
    _ consumer: inout some LogMessageConsumer
  ) {
    let line = LogPiece(bytes, start, end)
    if line.isEmpty {
      // A console may write an empty line between a report's own.
      if !last.isSoft { flush(&consumer) }
      return
    }
    // Two printk records on one line: what stands before a second stamp is the first one's.
    for (index, piece) in line.records.enumerated() {
      if index == 0, continues(piece) {
        append(piece)
      } else {
        flush(&consumer)
        guard marks.mayMatter(piece.text) else { continue }
        pending = LogMessage(
          line: number, text: piece.text, caller: piece.caller, isStamped: piece.isStamped)
        last = piece
        pieces = 1
      }
    }
  }

  private mutating func flush(_ consumer: inout some LogMessageConsumer) {
    guard var message = pending else { return }
    if last.isSoft { message.isCut = true }
    pending = nil
    pieces = 0
    consumer.take(message)
  }

  // MARK: - Wrapped lines

  /// Whether a line belongs to the message before it.
  private func continues(_ piece: LogPiece) -> Bool {
    guard let pending, !piece.isStamped, pieces < Self.mostPieces,
      pending.text.utf8.count + piece.text.utf8.count <= Self.longestLine
    else { return false }
    if marks.begins(piece.text, after: pending.text) { return false }
    return last.isSoft || pending.isStamped || marks.wants(pending.text, piece.text)
  }

  private mutating func append(_ piece: LogPiece) {
    guard let before = pending?.text else { return }
    let next = last.isSoft ? piece.softText : piece.text
    let isSpaced = before.last == " " || next.first == " " || piece.isIndented
    let isWhole =
      last.isSoft || (!isSpaced && marks.isCutWord(before, next, atColumn: last.length == column))
    pending?.text = isWhole || before.last == " " ? before + next : before + " " + next
    last = piece
    pieces += 1
  }
}

/// One line of a text, decoded and freed of what stands before the kernel's words.
struct LogPiece {
  private(set) var text = ""
  /// The text as it continues a soft line break: nothing is taken from it but another quote's mark.
  private(set) var softText = ""
  private(set) var caller: String?
  private(set) var isStamped = false
  /// Whether more blanks than a quote's own stand before it.
  private(set) var isIndented = false
  /// Whether it ends in a soft line break (`=`, quoted-printable).
  private(set) var isSoft = false
  /// The bytes of the line as posted.
  private(set) var length = 0
  /// What further stamps in the line begin.
  private var others: [LogPiece] = []

  var isEmpty: Bool { text.isEmpty && !isSoft }
  /// The line as one piece for each record.
  var records: [LogPiece] { [self] + others }

  init() {}

  init(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) {
    var end = end
    while end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    length = end - start
    var (line, isSoft) = LogEncoding.decoded(bytes, start, end)
    self.isSoft = isSoft
    while !isSoft, let final = line.last, final == 0 { line.removeLast() }
    let span = line.span
    var prefix = LogPrefix(span, from: 0)
    softText = Self.string(span, prefix.quoteEnd, span.count)
    // Another program's output may stand before the kernel's record.
    if !prefix.isStamped, let inside = LogPrefix.stamp(in: span, from: prefix.start) {
      prefix = LogPrefix(span, from: inside)
    }
    isStamped = prefix.isStamped
    caller = prefix.caller
    isIndented = prefix.isIndented
    let next = LogPrefix.stamp(in: span, from: prefix.start)
    text = Self.string(span, prefix.start, next ?? span.count)
    addRecords(span, from: next)
  }

  private init(text: String, prefix: LogPrefix) {
    self.text = text
    softText = text
    caller = prefix.caller
    isStamped = true
  }

  private mutating func addRecords(_ span: borrowing Span<UInt8>, from first: Int?) {
    guard var at = first else { return }
    while others.count < 64 {
      let prefix = LogPrefix(span, from: at)
      let next = LogPrefix.stamp(in: span, from: prefix.start)
      others.append(
        LogPiece(text: Self.string(span, prefix.start, next ?? span.count), prefix: prefix))
      guard let next, next > at else { break }
      at = next
    }
    if !others.isEmpty {
      others[others.count - 1].isSoft = isSoft
      others[others.count - 1].length = length
      isSoft = false
    }
  }

  private static func string(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> String {
    var copy: [UInt8] = []
    copy.reserveCapacity(max(0, end - start))
    for index in start..<max(start, end) { copy.append(bytes[index]) }
    return String(decoding: copy, as: UTF8.self)
  }
}
