internal import KernelText
internal import MemoryImages
internal import PageTables

/// The kernel log in memory before 5.10: `log_buf`, which held text up to 3.4 and records since.
///
/// Sources: kernel/printk.c, 2.6.26 and 3.4 (`emit_log_char`), 3.5 (`struct log`), 3.11
/// (`struct printk_log`), and `log_buf_kexec_setup` of those releases, for what VMCOREINFO names.
struct PrintkBuffer {
  private let reader: VirtualReader
  private let bytes: SparseBytes

  /// More than any kernel's boot option asks for.
  private static let mostBytes: UInt64 = 64 << 20

  /// Where a record's fields lie, in bytes.
  private struct Layout {
    var size = 16
    var time = 0
    var length = 8
    var textLength = 10

    /// Those of 3.5 to 5.9 where no note tells them: `struct log`, without the caller's number.
    init(_ info: VMCoreInfo?) {
      for name in ["printk_log", "log"] {
        guard let info, let size = info.size(name), (12..<256).contains(size) else { continue }
        func field(_ field: String, _ usual: Int, bytes: Int) -> Int {
          let place = info.offset("\(name).\(field)").flatMap { Int(exactly: $0) } ?? usual
          return place <= size - bytes ? place : usual
        }
        self.size = size
        time = field("ts_nsec", 0, bytes: 8)
        length = field("len", 8, bytes: 2)
        textLength = field("text_len", 10, bytes: 2)
        return
      }
    }
  }

  /// Whether something names the buffer, so that it should be there.
  static func isNamed(_ info: VMCoreInfo?, _ symbols: Symbols?) -> Bool {
    place("prb", info, symbols) == nil && place("log_buf", info, symbols) != nil
      && ["log_first_idx", "log_end"].contains { place($0, info, symbols) != nil }
  }

  /// The log, with a line a record as a console prints it.
  ///
  /// - Returns: nil where nothing names the buffer, or it cannot be read.
  static func read(
    _ info: VMCoreInfo?, _ symbols: Symbols?, _ reader: VirtualReader
  ) -> PrintkRing.Log? {
    func number(_ name: String) -> UInt64? {
      place(name, info, symbols).flatMap { reader.word(at: $0, size: 4) }
    }
    guard let pointer = place("log_buf", info, symbols), let start = reader.word(at: pointer),
      let length = number("log_buf_len"), length > 0, length <= mostBytes,
      let bytes = reader.sparse(at: start, count: Int(length))
    else { return nil }
    let buffer = PrintkBuffer(reader: reader, bytes: bytes)
    if let first = number("log_first_idx"), let next = number("log_next_idx") {
      return buffer.records(from: first, to: next, Layout(info))
    }
    return number("log_end").flatMap { buffer.text(end: $0, kept: number("logged_chars")) }
  }

  private static func place(
    _ name: String, _ info: VMCoreInfo?, _ symbols: Symbols?
  ) -> UInt64? { info?.symbol(name) ?? symbols?[name] }

  /// The text of 3.4 and before: what was written last, as much as the buffer holds.
  ///
  /// - Parameters:
  ///   - end: how many bytes were written in all, modulo 2^32; the place after the last one.
  ///   - kept: how many of them are still there.
  private func text(end: UInt64, kept: UInt64?) -> PrintkRing.Log? {
    let size = UInt64(bytes.bytes.count)
    guard size & (size - 1) == 0 else { return nil }
    let count = min(kept ?? min(end, size), size)
    var text: [UInt8] = []
    var lost = 0
    text.reserveCapacity(Int(count))
    let start = (end &- count) & (size - 1)
    let parts = [
      (Int(start), Int(min(count, size - start))), (0, Int(count - min(count, size - start))),
    ]
    for (at, length) in parts where length > 0 {
      guard let part = bytes.slice(at: at, count: length) else {
        lost += 1
        continue
      }
      text += part
    }
    guard !text.isEmpty || count == 0 else { return nil }
    return PrintkRing.Log(text: Self.withoutLevels(text), lost: lost)
  }

  /// The lines without `<6>` before them.
  private static func withoutLevels(_ text: [UInt8]) -> String {
    var log = ""
    for line in text.split(separator: 10) {
      var line = line.drop { $0 == 0 }
      if line.count > 2, line.first == UInt8(ascii: "<"),
        let end = line.prefix(5).firstIndex(of: UInt8(ascii: ">")),
        line[(line.startIndex + 1)..<end].allSatisfy({ (0x30...0x39).contains($0) })
      {
        line = line[(end + 1)...]
      }
      log += String(decoding: line, as: UTF8.self) + "\n"
    }
    return log
  }

  /// The records of 3.5 to 5.9, from the oldest to the place of the next one.
  private func records(from first: UInt64, to next: UInt64, _ layout: Layout) -> PrintkRing.Log? {
    let size = UInt64(bytes.bytes.count)
    guard first < size, next <= size else { return nil }
    var log: [UInt8] = []
    var lost = 0
    var at = Int(first)
    // No record shares its bytes with another, so all of them fit the buffer.
    var left = bytes.bytes.count
    while at != Int(next), left > 0 {
      guard let length = bytes.number(at: at + layout.length, size: 2) else {
        lost += 1
        break
      }
      if length == 0 {
        // The rest of the buffer is too short for the record that follows, at its start.
        guard at != 0 else { break }
        left -= bytes.bytes.count - at
        at = 0
        continue
      }
      let count = Int(length)
      guard count >= layout.size, count <= left else {
        lost += 1
        break
      }
      if let time = bytes.number(at: at + layout.time, size: 8),
        let textLength = bytes.number(at: at + layout.textLength, size: 2),
        Int(textLength) <= count - layout.size,
        let text = bytes.slice(at: at + layout.size, count: Int(textLength))
      {
        LogStamp(microseconds: time / 1000).append(text, to: &log)
      } else {
        lost += 1
      }
      left -= count
      at += count
    }
    guard !log.isEmpty || first == next else { return nil }
    return PrintkRing.Log(text: String(decoding: log, as: UTF8.self), lost: lost)
  }
}
