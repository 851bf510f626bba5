internal import CKdumpfile
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
    var parts: [KdumpImage.Part] = []
    for file in files {
      let part = KdumpImage.Part(file: file, header: try KdumpHeader(file))
      guard
        !parts.contains(where: { $0.header.pages == part.header.pages && part.header.isPart })
          || part.header.pages.isEmpty
      else { continue }
      parts.append(part)
    }
    parts.sort { $0.header.pages.lowerBound < $1.header.pages.lowerBound }
    return try KdumpImage(parts)
  }
}

/// A kdump-compressed image, whose pages libkdumpfile unpacks.
@safe final class KdumpImage: MemoryImage {
  struct Part {
    let file: MappedFile
    let header: KdumpHeader
  }

  let path: String
  let format = "kdump"
  let ranges: [ClosedRange<UInt64>]
  let notes: [ImageNote]
  let damage: [String]
  var machine: Machine? { header.machine }
  private let header: KdumpHeader
  // The bitmaps of the first file speak for all; the library reads from the files' descriptors.
  private let files: [MappedFile]
  // Pages whose descriptors the library must not see.
  private let damagedPages: RangeSet
  // An absent page is one of zeros; else why it is absent is not known.
  private let absentIsZero: Bool
  // A context serves one reader at a time; there are as many as there were readers at once.
  private let idle: Mutex<[Context]>

  let heldBytes: UInt64
  var dumpLevel: UInt32? { header.dumpLevel }

  init(_ parts: [Part]) throws(ImageError) {
    let first = parts[0]
    files = parts.map(\.file)
    header = first.header
    path = first.file.path
    var damage = files.flatMap(\.damage)

    notes = Self.notes(first, damage: &damage)

    var sharesData = false
    var damaged: [ClosedRange<UInt64>] = []
    for part in parts {
      if part.header.isIncomplete {
        damage.append("makedumpfile marked \(part.file.path) as incomplete (out of space)")
      }
      let found = PageDescriptors(part)
      damage += found.damage.map { [$0] } ?? []
      sharesData = sharesData || found.sharesData
      damaged += found.damagedPages
    }
    // makedumpfile keeps zero pages, in one place for all of them; who does so dropped none. At other
    // levels a page may be absent for another reason.
    absentIsZero = header.dumpLevel == 1 && !sharesData
    damagedPages = RangeSet(damaged)
    damage += Self.missingParts(parts)

    var ranges: [ClosedRange<UInt64>] = []
    first.file.forEachRun(of: header.memoryBitmap, in: 0..<header.pageCount) { run in
      ranges.append(
        (run.lowerBound * KdumpHeader.pageSize)...(run.upperBound * KdumpHeader.pageSize - 1))
      // More pieces than any machine has: the bitmap is none.
      return ranges.count < 1 << 20
    }
    if ranges.count == 1 << 20 { damage.append("the bitmap of memory is no bitmap") }
    self.ranges = ranges
    self.damage = damage
    var kept: UInt64 = 0
    first.file.forEachRun(of: header.keptBitmap, in: 0..<header.pageCount) { run in
      kept += run.upperBound - run.lowerBound
      return true
    }
    heldBytes = kept * KdumpHeader.pageSize

    idle = Mutex([try Context(files)])
  }

  /// The notes of the first file, and VMCOREINFO where it stands beside them.
  private static func notes(_ first: Part, damage: inout [String]) -> [ImageNote] {
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
  private static func missingParts(_ parts: [Part]) -> [String] {
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
    let page = address / KdumpHeader.pageSize
    guard page < header.pageCount, files[0].bit(page, of: header.memoryBitmap) else {
      throw .outsideMemory
    }
    if files[0].bit(page, of: header.keptBitmap) {
      guard !damagedPages.contains(page) else { throw .notInImage }
      return true
    }
    guard absentIsZero else { throw .notInImage }
    return false
  }

  /// Visits the pages whose content is in the file: a bitmap may claim a million times as many.
  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    files[0].forEachRun(of: header.keptBitmap, in: 0..<header.pageCount) { run in
      for page in run {
        let address = page * KdumpHeader.pageSize
        body(address) { wanted in (try? read(at: address, count: wanted.count)) == wanted }
      }
      return true
    }
  }

  func isTakenForZero(_ address: UInt64) -> Bool {
    if let isHeld = try? isHeld(address) { !isHeld } else { false }
  }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    let bytes = try read(at: address, count: table.count * 8)
    table.copy(bytes)
  }

  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    guard let context = idle.withLock({ $0.popLast() }) ?? (try? Context(files)) else {
      throw .notInImage
    }
    defer { idle.withLock { $0.append(context) } }
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let (at, isPast) = address.addingReportingOverflow(UInt64(done))
      guard !isPast else { throw .outsideMemory }
      let inPage = min(count - done, Int(KdumpHeader.pageSize - at % KdumpHeader.pageSize))
      if try isHeld(at) {
        var length = inPage
        let status = unsafe bytes.withUnsafeMutableBytes {
          unsafe kdump_read(
            context.pointer, KDUMP_MACHPHYSADDR, kdump_addr_t(at),
            $0.baseAddress?.advanced(by: done), &length)
        }
        // A part that is missing, or data that does not unpack.
        guard status == KDUMP_OK, length == inPage else { throw .notInImage }
      }
      done += inPage
    }
    return bytes
  }
}

/// libkdumpfile's view of the files, with caches and a lock of its own.
@safe private final class Context: @unchecked Sendable {
  let pointer: OpaquePointer

  /// - Parameter files: which must outlive it.
  init(_ files: [MappedFile]) throws(ImageError) {
    let path = files.first?.path ?? ""
    guard let pointer = unsafe kdump_new() else {
      throw ImageError(path, "libkdumpfile has no memory", advice: "close other programs")
    }
    let descriptors = files.map(\.descriptor)
    let status = unsafe descriptors.withUnsafeBufferPointer {
      unsafe kdump_open_fdset(pointer, UInt32($0.count), $0.baseAddress)
    }
    guard status == KDUMP_OK else {
      let reason = unsafe String(cString: kdump_get_err(pointer))
      // Not freed: after a failed open libkdumpfile 0.5.1 may crash in kdump_free().
      throw ImageError(
        path, offset: 0, "libkdumpfile cannot read it: \(reason)",
        advice: "the file is damaged: copy it again, or take the dump again")
    }
    unsafe self.pointer = pointer
  }

  deinit { unsafe kdump_free(pointer) }
}
