internal import PageTables

/// What a printed entry is, in words.
struct EntryWords {
  private let entry: UInt64
  private let level: Int
  private let mode: TableFormat
  private let address: UInt64?

  init(_ entry: UInt64, level: Int, _ mode: TableFormat, address: UInt64?) {
    self.entry = entry
    self.level = level
    self.mode = mode
    self.address = address
  }

  private var frame: UInt64 { entry & mode.tableAddress }

  /// The address above which the machine has no memory to address; nil where nothing tells.
  static func limit(_ facts: LogFacts) -> UInt64? {
    facts.physicalBits.flatMap { (32..<53).contains($0) ? 1 << UInt64($0) : nil }
  }

  /// An entry that is not present.
  ///
  /// Source: arch/x86/include/asm/pgtable-invert.h, pgtable_64.h (swap entries) and
  /// pgtable_types.h (`_PAGE_PROTNONE`), 6.12.
  var absent: String {
    if entry == 0 { return "it is empty" }
    if mode.invertedFrame != 0, entry & mode.invertedFrame != 0 {
      let frame = ~entry & mode.tableAddress
      if entry & mode.global != 0 {
        return "PROT_NONE or waiting for a NUMA hint; its frame \(frame.entry) is stored inverted"
      }
      if entry & 0x60 != 0 || level > 1 {
        let isOwn = address.map { ($0 & ~4095 &- frame) & ((1 << 30) - 1) == 0 } ?? false
        return "the frame \(frame.entry) is stored inverted"
          + (isOwn ? ", the direct map's own page for that address" : "")
          + ": taken away on purpose, by DEBUG_PAGEALLOC, hibernation or set_memory_np()"
      }
      return "a swap entry of type \(entry >> 59), offset \(((~entry << 5) >> 14).entry)"
    }
    if entry & mode.global != 0 { return "PROT_NONE or waiting for a NUMA hint" }
    return plain
  }

  /// Why a present entry cannot map memory; nil where it may.
  func isBeyond(_ facts: LogFacts) -> String? {
    if let text = ascii { return "its bytes are text, \(text)" }
    if frame >= 1 << 48 || entry >> 52 == 0xfff {
      return "the frame \(frame.entry) is beyond any memory" + looksLikeAddress
    }
    guard let limit = Self.limit(facts), frame >= limit else { return nil }
    return "the frame \(frame.entry) is above what the processor addresses"
  }

  /// An entry with reserved bits, as the processor says.
  func reserved(_ facts: LogFacts, _ walk: WalkResult) -> String {
    let name = mode.level(level).name
    var words = "reserved bits are set in the \(name) \(entry.entry)"
    if case .reservedBits(let bits) = walk.end, bits == mode.noExecute {
      return words + ": only NX can be, which this kernel does not use"
    }
    if let text = ascii {
      words += ": its bytes are text, \(text)"
    } else if frame >= 1 << 32, frame & ~mode.tableAddress == 0 {
      words += ": the frame \(frame.entry) is above what the processor addresses" + looksLikeAddress
    }
    return words
  }

  /// The kernel's half begins all addresses with ones.
  private var looksLikeAddress: String {
    entry >> 47 == 0x1ffff ? "; the entry looks like a kernel address" : ""
  }

  /// What the value looks like.
  var plain: String {
    if let text = ascii { return "its bytes are text, \(text)" }
    let patterns: [UInt64: String] = [
      0x6b6b_6b6b_6b6b_6b6b: "the poison of freed slab memory",
      0x5a5a_5a5a_5a5a_5a5a: "the poison of slab memory in use",
      0xaaaa_aaaa_aaaa_aaaa: "the poison of free pages",
      0xcccc_cccc_cccc_cccc: "the poison of freed init memory",
      ~0: "all ones",
    ]
    return patterns[entry] ?? "its frame is \(frame.entry)"
  }

  /// The bytes as text, where all of them are printable.
  private var ascii: String? {
    let bytes = (0..<mode.entrySize).map { UInt8(truncatingIfNeeded: entry >> UInt64(8 * $0)) }
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return nil }
    return "\"\(String(decoding: bytes, as: UTF8.self))\""
  }
}
