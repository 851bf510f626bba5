internal import PageTables
internal import Synchronization

/// AVML's format: LiME's headers, and behind each a stream of Snappy frames.
///
/// Source: avml 0.14, src/image.rs (version 2) and src/io/snappy.rs; Snappy's framing_format.txt.
enum AVMLFormat {
  private static let magic: [UInt8] = Array("AVML".utf8)

  static func matches(_ file: MappedFile) -> Bool { file.bytes(at: 0, count: 4) == magic }

  static func read(_ file: MappedFile) throws(ImageError) -> AVMLImage {
    var contents = Contents(file: file)
    while contents.position < file.size, contents.takeStretch() {}
    guard !contents.ranges.isEmpty else {
      throw ImageError(
        file.path, offset: 0, "expected an AVML header of version 2",
        advice: "the file is damaged: copy it again, or convert it with avml-convert")
    }
    return AVMLImage(
      file, ranges: contents.ranges, blocks: contents.blocks, damage: contents.damage)
  }

  /// What was found up to `position`.
  private struct Contents {
    let file: MappedFile
    var position = 0
    var damage: [String]
    var ranges: [ClosedRange<UInt64>] = []
    var blocks: [AVMLImage.Block] = []

    init(file: MappedFile) {
      self.file = file
      damage = file.damage
    }

    /// Reads a header and the frames behind it; false where it is damaged.
    mutating func takeStretch() -> Bool {
      guard
        let range = LiMEFormat.range(in: file, at: position, magic: magic, version: 2),
        range.lowerBound > ranges.last?.upperBound ?? 0 || ranges.isEmpty
      else {
        damage.append("expected an AVML header (version 2) at \(UInt64(position).entry)")
        return false
      }
      ranges.append(range)
      position += LiMEFormat.headerSize
      var physical = range.lowerBound
      while physical <= range.upperBound {
        guard takeFrame(&physical, in: range) else { return false }
      }
      // The length of the compressed stream, for readers that go backwards.
      position += 8
      return true
    }

    private mutating func takeFrame(
      _ physical: inout UInt64, in range: ClosedRange<UInt64>
    ) -> Bool {
      guard let head = file.bytes(at: UInt64(position), count: 4), let word = head.u32(at: 0),
        Int(word >> 8) <= file.size - position - 4
      else {
        damage.append(
          "the memory from \(physical.entry) to \(range.upperBound.entry) is cut off at "
            + UInt64(file.size).entry)
        return false
      }
      let length = Int(word >> 8)
      let kind = UInt8(truncatingIfNeeded: word)
      if kind < 2 {
        let block = AVMLImage.Block(
          physical: physical, size: size(of: kind, file, position + 4, length),
          offset: position + 4, length: length, isCompressed: kind == 0)
        guard (1...65536).contains(block.size),
          UInt64(block.size) - 1 <= range.upperBound - physical
        else {
          damage.append("the Snappy frame at \(UInt64(position).entry) is damaged")
          return false
        }
        blocks.append(block)
        physical += UInt64(block.size)
      } else if kind < 0x80 {
        damage.append("a Snappy frame of unknown kind at \(UInt64(position).entry)")
        return false
      }
      position += 4 + length
      return true
    }
  }

  /// How many bytes a frame unpacks to; zero where it does not tell.
  private static func size(of kind: UInt8, _ file: MappedFile, _ at: Int, _ length: Int) -> Int {
    if kind == 1 { return length - 4 }
    return file.bytes(at: UInt64(at) + 4, count: min(5, max(0, length - 4)))
      .flatMap { Snappy.size($0.span)?.size } ?? 0
  }
}

/// An AVML image: its blocks are unpacked when they are read.
final class AVMLImage: MemoryImage {
  struct Block: Sendable {
    let physical: UInt64
    let size: Int
    /// Where the frame's content is in the file: 4 bytes of checksum, then data.
    let offset: Int
    let length: Int
    let isCompressed: Bool
  }

  let format = "avml"
  let ranges: [ClosedRange<UInt64>]
  let damage: [String]
  /// AVML leaves out blocks of zeros.
  let tellsAllMemory = false
  let heldBytes: UInt64
  var path: String { file.path }
  private let file: MappedFile
  private let blocks: [Block]
  // Unpacked blocks by index; a walk comes back to the same ones.
  private let cache = Mutex<[Int: [UInt8]]>([:])
  private static let mostCached = 64

  init(_ file: MappedFile, ranges: [ClosedRange<UInt64>], blocks: [Block], damage: [String]) {
    self.file = file
    self.ranges = ranges
    self.blocks = blocks
    self.damage = damage
    heldBytes = blocks.reduce(0) { $0 + UInt64($1.size) }
  }

  private func index(of address: UInt64) -> Int? {
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].physical + UInt64(blocks[middle].size) <= address {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low < blocks.count && blocks[low].physical <= address ? low : nil
  }

  private func unpacked(_ index: Int) throws(UnreadableMemory) -> [UInt8] {
    if let bytes = cache.withLock({ $0[index] }) { return bytes }
    let block = blocks[index]
    guard let frame = file.bytes(at: UInt64(block.offset), count: block.length),
      let sum = frame.u32(at: 0)
    else { throw .notInImage }
    let packed = frame.span.extracting(4...)
    guard let bytes = block.isCompressed ? Snappy.unpack(packed) : Array(frame[4...]),
      bytes.count == block.size, Snappy.checksum(bytes.span) == sum
    else { throw .notInImage }
    cache.withLock { cache in
      if cache.count >= Self.mostCached { cache.removeAll() }
      cache[index] = bytes
    }
    return bytes
  }

  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let (at, isPast) = address.addingReportingOverflow(UInt64(bytes.count))
      guard !isPast, let index = index(of: at) else { throw .notInImage }
      let start = Int(at - blocks[index].physical)
      let end = min(blocks[index].size, start + count - bytes.count)
      bytes += try unpacked(index)[start..<end]
    }
    return bytes
  }

  /// Visits what blocks hold: a header may claim far more.
  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    for block in blocks {
      for address in stride(from: block.physical, to: block.physical + UInt64(block.size), by: 4096)
      {
        body(address) { wanted in (try? read(at: address, count: wanted.count)) == wanted }
      }
    }
  }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    table.copy(try read(at: address, count: table.count * 8))
  }
}

extension [UInt64] {
  /// Takes as many bytes as it holds words for.
  mutating func copy(_ bytes: [UInt8]) {
    unsafe withUnsafeMutableBytes { unsafe $0.copyBytes(from: bytes.prefix($0.count)) }
  }
}
