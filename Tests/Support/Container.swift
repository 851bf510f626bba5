internal import Foundation
package import MemoryImages

/// One memory in the containers that other programs write.
package enum Container {
  fileprivate static let pageSize = 4096

  /// What a kdump-compressed file does with pages.
  package struct KdumpOptions: Sendable {
    package var dumpLevel: UInt64 = 0
    /// Whether zero pages share one place, as makedumpfile has it.
    package var sharesZeros = false
    /// Pages that are left out, by address.
    package var leavesOut: Set<UInt64> = []
    /// The page frames of this part of a split dump.
    package var part: Range<Int>?
    package var pageSize = Container.pageSize
    package var machine = "x86_64"

    package init() {}
  }

  private static func pages(
    _ core: ELFCore, _ pageSize: Int = pageSize
  ) -> [(number: Int, bytes: [UInt8])] {
    core.segments.flatMap { segment in
      stride(from: 0, to: segment.bytes.count, by: pageSize).map { at in
        (
          number: (Int(segment.physical) + at) / pageSize,
          bytes: Array(segment.bytes[at..<(at + pageSize)])
        )
      }
    }.sorted { $0.number < $1.number }
  }

  /// The number of page frames up to the end of memory.
  package static func pageCount(_ core: ELFCore, _ pageSize: Int = 4096) -> Int {
    (pages(core, pageSize).last?.number ?? 0) + 1
  }

  /// A kdump-compressed file of version 6 with zlib pages.
  package static func kdump(_ core: ELFCore, _ options: KdumpOptions = KdumpOptions()) -> [UInt8] {
    let pageSize = options.pageSize
    let all = pages(core, pageSize)
    let count = pageCount(core, pageSize)
    let notes = core.noteBytes
    let noteOffset = pageSize + 104
    let subBlocks = (104 + notes.count + pageSize - 1) / pageSize
    let bitmapSize = (count + 8 * pageSize - 1) / (8 * pageSize) * pageSize
    var file = Array("KDUMP   ".utf8)
    func pad(to size: Int) { file += [UInt8](repeating: 0, count: size - file.count) }
    file.append(6, size: 4)
    pad(to: 12 + 4 * 65)
    file += Array(options.machine.utf8)
    pad(to: 424)
    for value in [1, pageSize, subBlocks, 2 * bitmapSize / pageSize, count] {
      file.append(UInt64(value), size: 4)
    }
    pad(to: pageSize + 8)
    file.append(options.dumpLevel, size: 4)
    file.append(options.part == nil ? 0 : 1, size: 4)
    pad(to: pageSize + 48)
    file.append(UInt64(noteOffset), size: 8)
    file.append(UInt64(notes.count), size: 8)
    pad(to: pageSize + 80)
    file.append(UInt64(options.part?.lowerBound ?? 0), size: 8)
    file.append(UInt64(options.part?.upperBound ?? 0), size: 8)
    file.append(UInt64(count), size: 8)
    file += notes
    pad(to: (1 + subBlocks) * pageSize)
    let held = all.filter { !options.leavesOut.contains(UInt64($0.number * pageSize)) }
    for numbers in [all.map(\.number), held.map(\.number)] {
      var bitmap = [UInt8](repeating: 0, count: bitmapSize)
      for number in numbers { bitmap[number / 8] |= 1 << UInt8(number % 8) }
      file += bitmap
    }
    let here = held.filter { options.part?.contains($0.number) ?? true }
    var at = file.count + 24 * here.count
    var data: [UInt8] = []
    func describe(_ offset: Int, _ size: Int) {
      file.append(UInt64(offset), size: 8)
      file.append(UInt64(size), size: 4)
      file.append(size == pageSize ? 0 : 1, size: 4)
      file.append(0, size: 8)
    }
    let zeros = [UInt8](repeating: 0, count: pageSize)
    let packedZeros = zlib(zeros)
    let zerosAt = at
    if options.sharesZeros {
      data += packedZeros
      at += packedZeros.count
    }
    for page in here {
      if options.sharesZeros, page.bytes == zeros {
        describe(zerosAt, packedZeros.count)
        continue
      }
      let packed = zlib(page.bytes)
      let stored = packed.count < pageSize ? packed : page.bytes
      describe(at, stored.count)
      data += stored
      at += stored.count
    }
    return file + data
  }

  /// A zlib stream of literals and of runs of 258 equal bytes, in the fixed code.
  private static func zlib(_ bytes: [UInt8]) -> [UInt8] {
    var made: [UInt8] = [0x78, 0x01]
    var bits: UInt64 = 3
    var held = 3
    /// A code of `count` bits, the highest first.
    func put(_ code: Int, _ count: Int) {
      for bit in (0..<count).reversed() {
        bits |= UInt64(code >> bit & 1) << UInt64(held)
        held += 1
        if held == 8 {
          made.append(UInt8(bits))
          bits = 0
          held = 0
        }
      }
    }
    var at = 0
    while at < bytes.count {
      if at > 0, at + 258 <= bytes.count,
        bytes[at..<(at + 258)].allSatisfy({ $0 == bytes[at - 1] })
      {
        put(0xc0 + 5, 8)
        put(0, 5)
        at += 258
      } else {
        let value = Int(bytes[at])
        if value < 144 { put(0x30 + value, 8) } else { put(0x190 + value - 144, 9) }
        at += 1
      }
    }
    put(0, 7)
    if held > 0 { made.append(UInt8(bits)) }
    var low: UInt32 = 1
    var high: UInt32 = 0
    for byte in bytes {
      low = (low + UInt32(byte)) % 65521
      high = (high + low) % 65521
    }
    for value in [high >> 8, high, low >> 8, low] { made.append(UInt8(truncatingIfNeeded: value)) }
    return made
  }

  /// A flattened stream of a file's bytes, written in pieces, the first of them last.
  package static func flattened(_ bytes: [UInt8], ends: Bool = true) -> [UInt8] {
    var stream = Array("makedumpfile".utf8) + [0, 0, 0, 0]
    func put(_ value: Int64) {
      for index in (0..<8).reversed() {
        stream.append(UInt8(truncatingIfNeeded: value >> Int64(8 * index)))
      }
    }
    put(1)
    put(1)
    stream += [UInt8](repeating: 0, count: 4096 - stream.count)
    let size = 100_000
    for start in stride(from: 0, to: bytes.count, by: size).reversed() {
      let piece = bytes[start..<min(start + size, bytes.count)]
      put(Int64(start))
      put(Int64(piece.count))
      stream += piece
    }
    if ends {
      put(-1)
      put(-1)
    }
    return stream
  }

  /// The memory with VMCOREINFO in a page of its own, where no container of notes brings it.
  package static func withNoteInMemory(_ core: ELFCore) -> ELFCore {
    var core = core
    guard let note = core.notes.first(where: { $0.name == "VMCOREINFO" }),
      let last = core.segments.last
    else { return core }
    let page = note.bytes + [UInt8](repeating: 0, count: max(0, pageSize - note.bytes.count))
    core.add(page: Array(page.prefix(pageSize)), at: last.physical + last.size)
    core.notes = []
    return core
  }

  private static func header(_ magic: String, _ version: UInt64, _ segment: ELFCore.Segment)
    -> [UInt8]
  {
    var made = Array(magic.utf8)
    made.append(version, size: 4)
    made.append(segment.physical, size: 8)
    made.append(segment.physical + segment.size - 1, size: 8)
    made.append(0, size: 8)
    return made
  }

  package static func lime(_ core: ELFCore) -> [UInt8] {
    core.segments.flatMap { header("EMiL", 1, $0) + $0.bytes }
  }

  /// AVML's version 2; each second frame is a compressed one, of literals and copies.
  package static func avml(_ core: ELFCore) -> [UInt8] {
    core.segments.flatMap { segment in
      var frames: [UInt8] = [0xff, 6, 0, 0] + Array("sNaPpY".utf8)
      for (index, start) in stride(from: 0, to: segment.bytes.count, by: 65536).enumerated() {
        let bytes = Array(segment.bytes[start..<min(start + 65536, segment.bytes.count)])
        let content = index % 2 == 0 ? snappy(bytes) : bytes
        frames.append(UInt64(index % 2), size: 1)
        frames.append(UInt64(content.count + 4), size: 3)
        frames.append(UInt64(Snappy.checksum(bytes.span)), size: 4)
        frames += content
      }
      var length: [UInt8] = []
      length.append(UInt64(frames.count), size: 8)
      return header("AVML", 2, segment) + frames + length
    }
  }

  /// A Snappy block: runs of 64 bytes that repeat the last 8 as copies, whose offsets take one, two
  /// and four bytes in turn, the rest as literals.
  private static func snappy(_ bytes: [UInt8]) -> [UInt8] {
    var made: [UInt8] = []
    var size = bytes.count
    while size >= 0x80 {
      made.append(UInt8(size & 0x7f | 0x80))
      size >>= 7
    }
    made.append(UInt8(size))
    var at = 0
    var literal = 0
    var copies = 0
    func flush() {
      if literal < at {
        made.append(61 << 2)
        made.append(UInt64(at - literal - 1), size: 2)
        made += bytes[literal..<at]
      }
    }
    while at < bytes.count {
      if at >= 8, at + 64 <= bytes.count,
        (at..<(at + 64)).allSatisfy({ bytes[$0] == bytes[$0 - 8] })
      {
        flush()
        switch copies % 3 {
        case 0:
          made.append(63 << 2 | 2)
          made.append(8, size: 2)
        case 1:
          made.append(63 << 2 | 3)
          made.append(8, size: 4)
        default:
          // Eight of eight bytes each.
          for _ in 0..<8 { made += [4 << 2 | 1, 8] }
        }
        copies += 1
        at += 64
        literal = at
      } else {
        at += 8
      }
    }
    at = bytes.count
    flush()
    return made
  }

  /// Writes memory as it is, from its first page on, with holes between.
  package static func writeRaw(_ core: ELFCore, to path: String) throws -> UInt64 {
    let base = core.segments.first?.physical ?? 0
    try Data().write(to: URL(filePath: path))
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    for segment in core.segments {
      try file.seek(toOffset: segment.physical - base)
      try file.write(contentsOf: Data(segment.bytes))
    }
    try file.close()
    return base
  }
}
