internal import PageTables
internal import Synchronization

/// Memory images that makedumpfile or QEMU compressed page by page.
enum KdumpFormat {
  static func matches(_ file: MappedFile) -> Bool {
    file.bytes(at: 0, count: 8) == Array("KDUMP   ".utf8)
  }

  /// What the parts of one split dump have in common; nil for a file that is no such part.
  static func partIdentity(_ file: MappedFile) -> [UInt8]? {
    guard matches(file), let header = try? KdumpHeader(file), header.isPart else { return nil }
    return header.identity
  }

  /// Reads a dump.
  ///
  /// - Parameter files: the file, or the parts of a split dump in any order.
  static func read(_ files: [MappedFile]) throws(ImageError) -> KdumpImage {
    var parts: [KdumpPages] = []
    for file in files {
      let part = try KdumpPages(file)
      guard
        !parts.contains(where: { $0.header.pages == part.header.pages && part.header.isPart })
          || part.header.pages.isEmpty
      else { continue }
      parts.append(part)
    }
    parts.sort { $0.header.pages.lowerBound < $1.header.pages.lowerBound }
    return KdumpImage(parts)
  }
}

/// A kdump-compressed image.
final class KdumpImage: MemoryImage {
  let path: String
  let format = "kdump"
  let ranges: [ClosedRange<UInt64>]
  let notes: [ImageNote]
  let damage: [String]
  let heldBytes: UInt64
  var machine: Machine? { header.machine }
  var dumpLevel: UInt32? { header.dumpLevel }
  // The bitmaps of the first file speak for all.
  private let file: MappedFile
  private let header: KdumpHeader
  private let parts: [KdumpPages]
  // An absent page is one of zeros; else why it is absent is not known.
  private let absentIsZero: Bool
  private let unpacked = Mutex(PageCache())

  init(_ parts: [KdumpPages]) {
    let first = parts[0]
    self.parts = parts
    file = first.file
    header = first.header
    path = first.file.path
    var damage = parts.flatMap(\.file.damage)

    notes = Self.notes(first, damage: &damage)

    for part in parts {
      if part.header.isIncomplete {
        damage.append("makedumpfile marked \(part.file.path) as incomplete (out of space)")
      }
      damage += part.damage.map { [$0] } ?? []
    }
    // makedumpfile keeps zero pages, in one place for all of them; who does so dropped none. At other
    // levels a page may be absent for another reason.
    absentIsZero = header.dumpLevel == 1 && !parts.contains(where: \.sharesData)
    damage += Self.missingParts(parts)

    let pageSize = header.pageSize
    var ranges: [ClosedRange<UInt64>] = []
    file.forEachRun(of: header.memoryBitmap, in: 0..<header.pageCount) { run in
      ranges.append(
        (run.lowerBound * pageSize)...(run.upperBound * pageSize - 1))
      // More pieces than any machine has: the bitmap is none.
      return ranges.count < 1 << 20
    }
    if ranges.count == 1 << 20 { damage.append("the bitmap of memory is no bitmap") }
    self.ranges = ranges
    self.damage = damage
    heldBytes =
      file.countBits(of: header.keptBitmap, in: 0..<header.pageCount) * header.pageSize
  }

  /// The notes of the first file, and VMCOREINFO where it stands beside them.
  private static func notes(_ first: KdumpPages, damage: inout [String]) -> [ImageNote] {
    let header = first.header
    var notes: [ImageNote] = []
    if header.notes.size > 0 {
      var limits = NoteLimits()
      notes = ImageNote.read(
        first.file, at: header.notes.offset, size: header.notes.size, within: &limits,
        damage: &damage)
    }
    let info = header.vmcoreinfo
    guard info.size > 0, !notes.contains(where: { $0.name == "VMCOREINFO" }) else { return notes }
    if info.size <= 1 << 20,
      let bytes = first.file.bytes(at: info.offset, count: Int(info.size))
    {
      notes.append(ImageNote(name: "VMCOREINFO", type: 0, bytes: bytes, offset: info.offset))
    } else {
      damage.append("VMCOREINFO at \(info.offset.entry) cannot be read")
    }
    return notes
  }

  /// A line for each part of a split dump that was not given.
  private static func missingParts(_ parts: [KdumpPages]) -> [String] {
    var found: [String] = []
    var next: UInt64 = 0
    for part in parts where part.header.isPart {
      if part.header.pages.lowerBound > next {
        found.append(missing(next..<part.header.pages.lowerBound))
      }
      next = max(next, part.header.pages.upperBound)
    }
    let header = parts[0].header
    if header.isPart, next < header.pageCount { found.append(missing(next..<header.pageCount)) }
    return found
  }

  private static func missing(_ pages: Range<UInt64>) -> String {
    "the part of the split dump with pages \(pages.lowerBound.entry) to "
      + "\((pages.upperBound - 1).entry) (page frame numbers) is missing: give all parts"
  }

  /// Whether a page's content is in the file; an absent one is of zeros.
  private func isHeld(_ address: UInt64) throws(UnreadableMemory) -> Bool {
    let page = address / header.pageSize
    guard page < header.pageCount, file.bit(page, of: header.memoryBitmap) else {
      throw .outsideMemory
    }
    if file.bit(page, of: header.keptBitmap) { return true }
    guard absentIsZero else { throw .notInImage }
    return false
  }

  /// Visits the pages whose content is in the file: a bitmap may claim a million times as many.
  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    file.forEachRun(of: header.keptBitmap, in: 0..<header.pageCount) { run in
      for page in run {
        let start = page * header.pageSize
        // What is looked for starts at a multiple of the smallest page.
        for address in stride(from: start, to: start + header.pageSize, by: 4096) {
          body(address) { wanted in (try? read(at: address, count: wanted.count)) == wanted }
        }
      }
      return true
    }
  }

  var leavesOutZeros: Bool { true }

  func isTakenForZero(_ address: UInt64) -> Bool {
    if let isHeld = try? isHeld(address) { !isHeld } else { false }
  }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    let bytes = try read(at: address, count: table.count * 8)
    table.copy(bytes)
  }

  func willRead(_ tables: [UInt64], size: Int) -> Bool {
    let asked = parts.map { part in
      part.file.willRead(tables) { table in part.place(of: table / header.pageSize) }
    }
    return asked.contains(true)
  }

  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let (at, isPast) = address.addingReportingOverflow(UInt64(bytes.count))
      guard !isPast else { throw .outsideMemory }
      let start = Int(at % header.pageSize)
      let inPage = min(count - bytes.count, Int(header.pageSize) - start)
      if try isHeld(at) {
        bytes += try content(of: at / header.pageSize)[start..<(start + inPage)]
      } else {
        bytes += repeatElement(0, count: inPage)
      }
    }
    return bytes
  }

  /// A kept page, unpacked.
  private func content(of page: UInt64) throws(UnreadableMemory) -> [UInt8] {
    if let known = unpacked.withLock({ $0[page] }) { return known }
    // A part that is missing, or data that does not unpack.
    guard let part = parts.first(where: { $0.header.pages.contains(page) }),
      let content = part.content(of: page)
    else { throw .notInImage }
    unpacked.withLock { $0[page] = content }
    return content
  }
}

/// The pages that were unpacked last: what reads a structure comes back to its page.
private struct PageCache {
  // Of 1 MiB in all, each page in the one place that its number gives.
  private var pages = [(page: UInt64, content: [UInt8])?](repeating: nil, count: 256)

  subscript(page: UInt64) -> [UInt8]? {
    get {
      guard let held = pages[Int(page % 256)], held.page == page else { return nil }
      return held.content
    }
    set { pages[Int(page % 256)] = newValue.map { (page, $0) } }
  }
}
