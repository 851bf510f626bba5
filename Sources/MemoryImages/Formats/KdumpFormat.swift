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
  // An absent page is one of zeros; else why it is absent is not known.
  private let absentIsZero: Bool
  // A context serves one reader at a time; there are as many as there were readers at once.
  private let idle: Mutex<[Context]>

  var dumpLevel: UInt32? { header.dumpLevel }

  init(_ parts: [Part]) throws(ImageError) {
    let first = parts[0]
    files = parts.map(\.file)
    header = first.header
    path = first.file.path
    var damage = files.flatMap(\.damage)

    notes = Self.notes(first, damage: &damage)

    var sharesData = false
    for part in parts {
      if part.header.isIncomplete {
        damage.append("makedumpfile marked \(part.file.path) as incomplete (out of space)")
      }
      let found = Self.inspect(part)
      damage += found.damage.map { [$0] } ?? []
      sharesData = sharesData || found.sharesData
    }
    // makedumpfile keeps zero pages, in one place for all of them; who does so dropped none. At other
    // levels a page may be absent for another reason.
    absentIsZero = header.dumpLevel == 1 && !sharesData
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

    idle = Mutex([try Context(files)])
  }

  /// The notes of the first file, and VMCOREINFO where it stands beside them.
  private static func notes(_ first: Part, damage: inout [String]) -> [ImageNote] {
    let header = first.header
    var notes: [ImageNote] = []
    if header.notes.size > 0 {
      notes = ImageNote.read(
        first.file, at: header.notes.offset, size: header.notes.size, damage: &damage)
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

  /// Looks through a file's page descriptors.
  ///
  /// - Returns: the first thing that is wrong, and whether some pages share their data.
  private static func inspect(_ part: Part) -> (damage: String?, sharesData: Bool) {
    let size = UInt64(part.file.size)
    var at = part.header.descriptors
    var damage: String?
    var lowest = UInt64.max
    var atLowest = 0
    part.file.forEachRun(of: part.header.keptBitmap, in: part.header.pages) { run in
      for page in run {
        guard let bytes = part.file.bytes(at: at, count: 16), let offset = bytes.u64(at: 0),
          let length = bytes.u32(at: 8), let flags = bytes.u32(at: 12)
        else {
          damage = "the file ends at \(size.entry), within its page descriptors"
          return false
        }
        let place = "the descriptor of page \(page.entry) at \(at.entry)"
        guard [0, 1, 2, 4, 0x20].contains(flags), length > 0, length <= KdumpHeader.pageSize,
          flags != 0 || UInt64(length) == KdumpHeader.pageSize
        else {
          damage = "\(place) is damaged: size \(length), flags \(UInt64(flags).entry)"
          return false
        }
        guard offset <= size, UInt64(length) <= size - offset else {
          damage = "\(place) leads past the end of the file at \(size.entry): it is cut off"
          return false
        }
        atLowest = offset < lowest ? 1 : atLowest + (offset == lowest ? 1 : 0)
        lowest = min(lowest, offset)
        at += 24
      }
      return true
    }
    if damage == nil, lowest != .max, lowest != at {
      damage =
        "the page bitmap tells of data from \(at.entry) on, the descriptors from \(lowest.entry)"
    }
    return (damage, atLowest > 1)
  }

  /// Whether a page's content is in the file; an absent one is of zeros.
  private func isHeld(_ address: UInt64) throws(UnreadableMemory) -> Bool {
    let page = address / KdumpHeader.pageSize
    guard page < header.pageCount, files[0].bit(page, of: header.memoryBitmap) else {
      throw .outsideMemory
    }
    if files[0].bit(page, of: header.keptBitmap) { return true }
    guard absentIsZero else { throw .notInImage }
    return false
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

extension MappedFile {
  /// Bit `index` of the bitmap at `offset`, the lowest bit first.
  fileprivate func bit(_ index: UInt64, of offset: UInt64) -> Bool {
    bytes(at: offset + index / 8, count: 1).map { $0[0] >> (index % 8) & 1 == 1 } ?? false
  }

  /// Visits the runs of set bits of the bitmap at `offset`, until `body` answers false.
  fileprivate func forEachRun(
    of offset: UInt64, in range: Range<UInt64>, _ body: (Range<UInt64>) -> Bool
  ) {
    withBytes { bytes in
      guard range.upperBound > range.lowerBound,
        offset + (range.upperBound - 1) / 8 < UInt64(bytes.count)
      else { return }
      var start: UInt64?
      var index = range.lowerBound
      while index < range.upperBound {
        let byte = bytes[Int(offset + index / 8)]
        if index % 8 == 0, range.upperBound - index >= 8, byte == (start == nil ? 0 : 0xff) {
          index += 8
          continue
        }
        let isSet = byte >> (index % 8) & 1 == 1
        if isSet, start == nil { start = index }
        if !isSet, let first = start {
          start = nil
          if !body(first..<index) { return }
        }
        index += 1
      }
      if let start { _ = body(start..<range.upperBound) }
    }
  }
}
