internal import MemoryImages
internal import PageTables

/// The kernel log in memory.
///
/// Source: kernel/printk/printk_ringbuffer.c, 6.12 (5.10 and later);
/// the structures' offsets come from VMCOREINFO.
enum PrintkRing {
  static func read(_ info: VMCoreInfo, _ reader: VirtualReader) -> String? {
    guard let pointer = info.symbol("prb"),
      let ring = reader.word(at: pointer),
      let descRing = info.offset("printk_ringbuffer.desc_ring"),
      let dataRing = info.offset("printk_ringbuffer.text_data_ring"),
      let countBitsAt = info.offset("prb_desc_ring.count_bits"),
      let descsAt = info.offset("prb_desc_ring.descs"),
      let infosAt = info.offset("prb_desc_ring.infos"),
      let headAt = info.offset("prb_desc_ring.head_id"),
      let tailAt = info.offset("prb_desc_ring.tail_id"),
      let stateAt = info.offset("prb_desc.state_var"),
      let blockAt = info.offset("prb_desc.text_blk_lpos"),
      let beginAt = info.offset("prb_data_blk_lpos.begin"),
      let nextAt = info.offset("prb_data_blk_lpos.next"),
      let sizeBitsAt = info.offset("prb_data_ring.size_bits"),
      let dataAt = info.offset("prb_data_ring.data"),
      let timeAt = info.offset("printk_info.ts_nsec"),
      let lengthAt = info.offset("printk_info.text_len"), let descSize = info.size("prb_desc"),
      let infoSize = info.size("printk_info"), descSize > 0, descSize < 4096, infoSize > 0,
      infoSize < 4096,
      let countBits = reader.word(at: ring &+ descRing &+ countBitsAt, size: 4), countBits < 24,
      let sizeBits = reader.word(at: ring &+ dataRing &+ sizeBitsAt, size: 4), sizeBits < 27,
      let descs = reader.word(at: ring &+ descRing &+ descsAt),
      let infos = reader.word(at: ring &+ descRing &+ infosAt),
      let head = reader.word(at: ring &+ descRing &+ headAt),
      let tail = reader.word(at: ring &+ descRing &+ tailAt),
      let data = reader.word(at: ring &+ dataRing &+ dataAt)
    else { return nil }
    let count = 1 << Int(countBits)
    let bytes = 1 << Int(sizeBits)
    guard count * descSize <= 64 << 20, count * infoSize <= 64 << 20,
      let descriptors = reader.bytes(at: descs, count: count * descSize),
      let records = reader.bytes(at: infos, count: count * infoSize),
      let text = reader.bytes(at: data, count: bytes)
    else { return nil }
    // Descriptor states are a `long`, whose top two bits are the state.
    let long = reader.wordSize
    let stateShift = UInt64(long * 8 - 2)
    let idMask: UInt64 = (1 << stateShift) - 1
    var log = ""
    var id = tail & idMask
    for _ in 0..<count {
      let slot = Int(id & UInt64(count - 1))
      if let state = descriptors.number(at: slot * descSize + Int(stateAt), size: long),
        state & idMask == id, state >> stateShift == 1 || state >> stateShift == 2,
        let begin = descriptors.number(
          at: slot * descSize + Int(blockAt + beginAt), size: long),
        let next = descriptors.number(
          at: slot * descSize + Int(blockAt + nextAt), size: long),
        let nanoseconds = records.u64(at: slot * infoSize + Int(timeAt)),
        let length = records.number(at: slot * infoSize + Int(lengthAt), size: 2), begin & 1 == 0
      {
        // A record that would cross the ring's end lies at its start instead.
        let wraps = begin >> sizeBits != next >> sizeBits && next & UInt64(bytes - 1) != 0
        let start = (wraps ? 0 : Int(begin & UInt64(bytes - 1))) + long
        if start + Int(length) <= bytes {
          let micro = nanoseconds / 1000
          let seconds = String(micro / 1_000_000)
          let fraction = String(micro % 1_000_000 + 1_000_000).dropFirst()
          let stamp =
            "[" + String(repeating: " ", count: max(0, 5 - seconds.count)) + seconds + "."
            + fraction
            + "] "
          for line in text[start..<(start + Int(length))].split(separator: 10) {
            log += stamp + String(decoding: line, as: UTF8.self) + "\n"
          }
        }
      }
      if id == head & idMask { break }
      id = (id &+ 1) & idMask
    }
    return log
  }
}
