internal import KernelText
internal import MemoryImages
internal import PageTables

/// The kernel log in memory.
///
/// Source: kernel/printk/printk_ringbuffer.c, 6.12 (5.10 and later);
/// the structures' offsets come from VMCOREINFO.
struct PrintkRing {
  private let layout: Layout
  /// The bytes of a `long`.
  private let long: Int
  /// The ring's descriptors, its records of `struct printk_info`, and its text: each a power of two
  /// of them.
  private let descriptors: SparseBytes
  private let infos: SparseBytes
  private let text: SparseBytes
  private let count: Int
  /// The identifiers of the newest and the oldest record.
  private let head: UInt64
  private let tail: UInt64

  /// Where the fields lie, in bytes.
  private struct Layout {
    let descriptorRing, textRing, countBits, descs, infos, head, tail, sizeBits, data: UInt64
    let state, begin, next, time, length: Int
    let descriptorSize, infoSize: Int

    /// - Returns: nil where VMCOREINFO lacks one, or a field lies outside of its structure.
    init?(_ info: VMCoreInfo, long: Int) {
      guard let descriptorRing = info.offset("printk_ringbuffer.desc_ring"),
        let textRing = info.offset("printk_ringbuffer.text_data_ring"),
        let countBits = info.offset("prb_desc_ring.count_bits"),
        let descs = info.offset("prb_desc_ring.descs"),
        let infos = info.offset("prb_desc_ring.infos"),
        let head = info.offset("prb_desc_ring.head_id"),
        let tail = info.offset("prb_desc_ring.tail_id"),
        let sizeBits = info.offset("prb_data_ring.size_bits"),
        let data = info.offset("prb_data_ring.data"),
        let descriptorSize = info.size("prb_desc"), let infoSize = info.size("printk_info"),
        (1..<4096).contains(descriptorSize), (1..<4096).contains(infoSize)
      else { return nil }
      func field(_ names: [String], size: Int, of whole: Int) -> Int? {
        var place: UInt64 = 0
        for name in names {
          guard let offset = info.offset(name), offset < 4096 else { return nil }
          place += offset
        }
        return Int(place) + size <= whole ? Int(place) : nil
      }
      let block = "prb_desc.text_blk_lpos"
      guard let state = field(["prb_desc.state_var"], size: long, of: descriptorSize),
        let begin = field([block, "prb_data_blk_lpos.begin"], size: long, of: descriptorSize),
        let next = field([block, "prb_data_blk_lpos.next"], size: long, of: descriptorSize),
        let time = field(["printk_info.ts_nsec"], size: 8, of: infoSize),
        let length = field(["printk_info.text_len"], size: 2, of: infoSize)
      else { return nil }
      (self.descriptorRing, self.textRing, self.countBits) = (descriptorRing, textRing, countBits)
      (self.descs, self.infos, self.head, self.tail) = (descs, infos, head, tail)
      (self.sizeBits, self.data) = (sizeBits, data)
      (self.state, self.begin, self.next) = (state, begin, next)
      (self.time, self.length) = (time, length)
      (self.descriptorSize, self.infoSize) = (descriptorSize, infoSize)
    }
  }

  private init?(_ info: VMCoreInfo, _ reader: VirtualReader) {
    long = reader.wordSize
    guard let layout = Layout(info, long: long), let pointer = info.symbol("prb"),
      let ring = reader.word(at: pointer)
    else { return nil }
    let descriptorRing = ring &+ layout.descriptorRing
    let textRing = ring &+ layout.textRing
    guard let countBits = reader.word(at: descriptorRing &+ layout.countBits, size: 4),
      countBits < 24, let sizeBits = reader.word(at: textRing &+ layout.sizeBits, size: 4),
      sizeBits < 27, let descs = reader.word(at: descriptorRing &+ layout.descs),
      let infos = reader.word(at: descriptorRing &+ layout.infos),
      let head = reader.word(at: descriptorRing &+ layout.head),
      let tail = reader.word(at: descriptorRing &+ layout.tail),
      let data = reader.word(at: textRing &+ layout.data)
    else { return nil }
    count = 1 << Int(countBits)
    guard count * layout.descriptorSize <= 64 << 20, count * layout.infoSize <= 64 << 20,
      let descriptors = reader.sparse(at: descs, count: count * layout.descriptorSize),
      let records = reader.sparse(at: infos, count: count * layout.infoSize),
      let text = reader.sparse(at: data, count: 1 << Int(sizeBits))
    else { return nil }
    self.layout = layout
    self.descriptors = descriptors
    self.infos = records
    self.text = text
    self.head = head
    self.tail = tail
  }

  /// What a ring holds.
  struct Log {
    /// A line a record, as a console prints it.
    let text: String
    /// How many records it should hold and does not.
    let lost: Int
  }

  /// The log.
  ///
  /// - Returns: nil where VMCOREINFO does not lead to a ring, or none of its records can be read.
  static func read(_ info: VMCoreInfo, _ reader: VirtualReader) -> Log? {
    guard let ring = PrintkRing(info, reader) else { return nil }
    let log = ring.log()
    return log.text.isEmpty && (ring.head != ring.tail || log.lost > 0) ? nil : log
  }

  private func log() -> Log {
    // Descriptor states are a `long`, whose top two bits are the state.
    let idMask: UInt64 = (1 << UInt64(long * 8 - 2)) - 1
    var log: [UInt8] = []
    var lost = 0
    // No record shares its text with another, so all of them fit the ring.
    var left = text.bytes.count
    var id = tail & idMask
    for number in 1...count {
      switch record(id, idMask) {
      case .text(let time, let bytes) where bytes.count <= left:
        left -= bytes.count
        LogStamp(microseconds: time / 1000).append(bytes, to: &log)
      case .none: break
      case .text, .lost: lost += 1
      }
      if id == head & idMask { break }
      // The ring holds no more.
      if number == count { lost += 1 }
      id = (id &+ 1) & idMask
    }
    return Log(text: String(decoding: log, as: UTF8.self), lost: lost)
  }

  private enum Record {
    /// The time in nanoseconds, and the text.
    case text(UInt64, ArraySlice<UInt8>)
    /// Without text, not yet written, or given back.
    case none
    /// It should be there.
    case lost
  }

  /// The states of a descriptor: `enum desc_state`.
  private static let (reserved, reusable): (UInt64, UInt64) = (0, 3)

  private func record(_ id: UInt64, _ idMask: UInt64) -> Record {
    let slot = Int(id & UInt64(count - 1))
    let descriptor = slot * layout.descriptorSize
    let info = slot * layout.infoSize
    guard let state = descriptors.number(at: descriptor + layout.state, size: long),
      let begin = descriptors.number(at: descriptor + layout.begin, size: long),
      let next = descriptors.number(at: descriptor + layout.next, size: long)
    else { return .lost }
    let found = state & idMask
    guard found == id else {
      // The newest may not have its descriptor yet. A newer one in the place of an old one was written
      // while the dump was taken.
      let rounds = ((found &- id) & idMask) / UInt64(count)
      let isNewer = state != 0 && (found &- id) & UInt64(count - 1) == 0 && rounds <= 16
      return id == head & idMask || isNewer ? .none : .lost
    }
    let phase = state >> UInt64(long * 8 - 2)
    if [Self.reserved, Self.reusable].contains(phase) { return .none }
    // A record without text has odd places.
    if begin & 1 == 1, next & 1 == 1 { return .none }
    guard let nanoseconds = infos.number(at: info + layout.time, size: 8),
      let length = infos.number(at: info + layout.length, size: 2), begin & 1 == 0
    else { return .lost }
    // A record that would cross the ring's end lies at its start instead.
    let place = UInt64(text.bytes.count - 1)
    let wraps = begin & ~place != next & ~place && next & place != 0
    let start = (wraps ? 0 : Int(begin & place)) + long
    return text.slice(at: start, count: Int(length)).map { .text(nanoseconds, $0) } ?? .lost
  }
}
