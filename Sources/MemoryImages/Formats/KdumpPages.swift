internal import PageTables

/// The pages that a kdump-compressed file holds, or one part of a split one.
///
/// Each page whose bit is set in the bitmap of kept pages has a descriptor, in the order of the pages.
///
/// Source: diskdump_mod.h of makedumpfile 1.7.2 (`page_desc_t`: offset, size, flags, page_flags).
struct KdumpPages: Sendable {
  let file: MappedFile
  let header: KdumpHeader
  /// The first thing that is wrong.
  let damage: String?
  /// Whether some pages share their data.
  let sharesData: Bool
  // The pages from `start` on, up to the next multiple of `blockPages`: the first kept one of them has
  // descriptor `rank`. Blocks without a kept page are left out.
  private let blocks: [Block]

  private struct Block {
    let start: UInt64
    let rank: UInt64
  }

  private static let blockPages: UInt64 = 4096
  private static let descriptorSize: UInt64 = 24

  init(_ file: MappedFile) throws(ImageError) {
    self.file = file
    let header = try KdumpHeader(file)
    self.header = header
    var blocks: [Block] = []
    var damage: String?
    var rank: UInt64 = 0
    var lowest = UInt64.max
    var atLowest = 0
    file.forEachRun(of: header.keptBitmap, in: header.pages) { run in
      for page in run {
        let start = max(page / Self.blockPages * Self.blockPages, header.pages.lowerBound)
        if blocks.last?.start != start { blocks.append(Block(start: start, rank: rank)) }
        let at = header.descriptors + rank * Self.descriptorSize
        guard let found = Self.descriptor(at: at, in: file) else {
          damage =
            damage ?? "the file ends at \(UInt64(file.size).entry), within its page descriptors"
          return false
        }
        if let problem = found.problem(in: file, pageSize: header.pageSize) {
          damage = damage ?? "the descriptor of page \(page.entry) at \(at.entry) \(problem)"
        } else {
          atLowest = found.offset < lowest ? 1 : atLowest + (found.offset == lowest ? 1 : 0)
          lowest = min(lowest, found.offset)
        }
        rank += 1
      }
      return true
    }
    let end = header.descriptors + rank * Self.descriptorSize
    if damage == nil, lowest != .max, lowest != end {
      damage =
        "the page bitmap tells of data from \(end.entry) on, the descriptors from \(lowest.entry)"
    }
    self.damage = damage
    self.blocks = blocks
    sharesData = atLowest > 1
  }

  /// A kept page's content; nil where its descriptor or its data is damaged.
  func content(of page: UInt64) -> [UInt8]? {
    guard let descriptor = descriptor(of: page),
      let packed = file.bytes(at: descriptor.offset, count: Int(descriptor.size))
    else { return nil }
    return PageCompression(rawValue: descriptor.flags)?.unpack(packed, size: header.pageSize)
  }

  /// The bytes of the file that a page is packed in; nil where this part does not have it.
  func place(of page: UInt64) -> Range<Int>? {
    guard header.pages.contains(page), page < header.pageCount,
      file.bit(page, of: header.keptBitmap)
    else { return nil }
    return descriptor(of: page).map { Int($0.offset)..<(Int($0.offset) + Int($0.size)) }
  }

  /// The sound descriptor of a kept page.
  private func descriptor(of page: UInt64) -> Descriptor? {
    let next = blocks.partitioningIndex { $0.start > page }
    guard next > 0 else { return nil }
    let block = blocks[next - 1]
    guard page - block.start < Self.blockPages else { return nil }
    let rank = block.rank + file.countBits(of: header.keptBitmap, in: block.start..<page)
    let at = header.descriptors + rank * Self.descriptorSize
    guard let descriptor = Self.descriptor(at: at, in: file),
      descriptor.problem(in: file, pageSize: header.pageSize) == nil
    else { return nil }
    return descriptor
  }

  private struct Descriptor {
    let offset: UInt64
    let size: UInt32
    let flags: UInt32

    /// What is wrong with it, in words.
    func problem(in file: MappedFile, pageSize: UInt64) -> String? {
      let fileSize = UInt64(file.size)
      guard let compression = PageCompression(rawValue: flags), size > 0,
        size <= pageSize, compression != .none || UInt64(size) == pageSize
      else { return "is damaged: size \(size), flags \(UInt64(flags).entry)" }
      guard offset <= fileSize, UInt64(size) <= fileSize - offset else {
        return "leads past the end of the file at \(fileSize.entry): it is cut off"
      }
      return nil
    }
  }

  private static func descriptor(at offset: UInt64, in file: MappedFile) -> Descriptor? {
    guard let bytes = file.bytes(at: offset, count: 16), let data = bytes.u64(at: 0),
      let size = bytes.u32(at: 8), let flags = bytes.u32(at: 12)
    else { return nil }
    return Descriptor(offset: data, size: size, flags: flags)
  }
}
