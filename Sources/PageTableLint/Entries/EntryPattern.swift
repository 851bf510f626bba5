internal import PageTables

/// Values that are no entries: what overwrites a table that was freed, or used for something else.
struct EntryPattern: Equatable {
  let kind: EntryReading.Kind
  let sentence: String

  /// Recognises an entry of `bytes` bytes; nil where it may be an entry.
  init?(_ entry: UInt64, bytes: Int) {
    let content = (0..<UInt64(bytes)).map { UInt8(truncatingIfNeeded: entry >> ($0 * 8)) }
    if let first = content.first, content.allSatisfy({ $0 == first }) {
      if first == 0xff {
        self.init(.allOnes, "all ones: what a read from an absent device or unmapped memory gives")
        return
      }
      guard let meaning = Self.fill[first] else { return nil }
      self.init(.poison, "filled with \(UInt64(first).entry): \(meaning)")
    } else if bytes == 8, let meaning = Self.words[entry] {
      self.init(.poison, meaning)
    } else if bytes == 8, Self.isShadow(content) {
      self.init(.poison, "bytes of KASAN's shadow memory, no entry")
    } else if bytes == 8, let text = Self.text(content) {
      self.init(.text, "text, no entry: \"\(text)\"")
    } else {
      return nil
    }
  }

  private init(_ kind: EntryReading.Kind, _ sentence: String) {
    self.kind = kind
    self.sentence = sentence
  }

  /// What a whole page or object is filled with.
  ///
  /// Source: include/linux/poison.h, 6.1.
  private static let fill: [UInt8: String] = [
    0x5a: "slab memory that was never written (POISON_INUSE)",
    0x6b: "slab memory that was freed (POISON_FREE)",
    0xa5: "the end of a freed slab object (POISON_END)",
    0xa7: "DMA pool memory that was freed (POOL_POISON_FREED)",
    0xa9: "DMA pool memory that was never written (POOL_POISON_ALLOCATED)",
    0xaa: "a page that was freed (PAGE_POISON)",
    0xbb: "the red zone of a freed slab object (SLUB_RED_INACTIVE)",
    0xcc: "freed init memory (POISON_FREE_INITMEM), or the red zone of a slab object in use",
  ]

  /// Source: include/linux/poison.h, with ILLEGAL_POINTER_VALUE of arch/x86/Kconfig, 6.1.
  private static let words: [UInt64: String] = [
    0xdead_0000_0000_0100: "LIST_POISON1: the next pointer of an entry taken off a list",
    0xdead_0000_0000_0122: "LIST_POISON2: the previous pointer of an entry taken off a list",
    0xdead_0000_0000_0200: "LIST_POISON2 of older kernels: a pointer of an entry taken off a list",
    0xdead_0000_0000_0400: "TAIL_MAPPING: the mapping of a compound page's tail",
    0x09f9_1102_9d74_e35b: "RED_INACTIVE: the red zone of a freed slab object",
    0xd841_56c5_6356_88c0: "RED_ACTIVE: the red zone of a slab object",
  ]

  /// Whether all bytes are those of KASAN's shadow, and most of them mark memory as not usable.
  ///
  /// Source: mm/kasan/kasan.h, 6.1 (KASAN_PAGE_FREE and the like; 0 to 7 are usable bytes).
  private static func isShadow(_ content: [UInt8]) -> Bool {
    let marks: Set<UInt8> = [
      0xf1, 0xf2, 0xf3, 0xf4, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfe, 0xff, 0xca, 0xcb,
    ]
    // Inverted frames and swap entries have many ones, but no such last byte twice.
    guard content.allSatisfy({ $0 < 8 || marks.contains($0) }) else { return false }
    return content.count { $0 >= 0xf1 && $0 < 0xff } >= 4
  }

  /// The text that eight bytes are; nil where one of them is not printable.
  private static func text(_ content: [UInt8]) -> String? {
    guard content.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x0a || $0 == 0x09 }) else {
      return nil
    }
    return String(
      decoding: content.flatMap { byte -> [UInt8] in
        switch byte {
        case 0x0a: Array("\\n".utf8)
        case 0x09: Array("\\t".utf8)
        case 0x22, 0x5c: [0x5c, byte]
        default: [byte]
        }
      }, as: UTF8.self)
  }
}
