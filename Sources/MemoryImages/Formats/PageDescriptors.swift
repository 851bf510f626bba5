internal import PageTables

/// What the page descriptors of a kdump-compressed file say of its pages.
///
/// libkdumpfile 0.5.1 reads as many bytes as a descriptor says into a buffer of one page: a longer
/// one overwrites what lies behind it.
struct PageDescriptors {
  /// The first thing that is wrong.
  private(set) var damage: String?
  /// Whether some pages share their data.
  private(set) var sharesData = false
  /// The numbers of the pages whose descriptors are damaged, or not in the file.
  private(set) var damagedPages: [ClosedRange<UInt64>] = []

  private let file: MappedFile

  init(_ part: KdumpImage.Part) {
    file = part.file
    var at = part.header.descriptors
    var lowest = UInt64.max
    var atLowest = 0
    file.forEachRun(of: part.header.keptBitmap, in: part.header.pages) { run in
      for page in run {
        guard let bytes = file.bytes(at: at, count: 16), let offset = bytes.u64(at: 0) else {
          report("the file ends at \(UInt64(file.size).entry), within its page descriptors")
          damagedPages.append(page...(part.header.pages.upperBound - 1))
          return false
        }
        if let problem = problem(bytes, offset) {
          report("the descriptor of page \(page.entry) at \(at.entry) \(problem)")
          damagedPages.append(page...page)
        } else {
          atLowest = offset < lowest ? 1 : atLowest + (offset == lowest ? 1 : 0)
          lowest = min(lowest, offset)
        }
        at += 24
      }
      return true
    }
    if damage == nil, lowest != .max, lowest != at {
      damage =
        "the page bitmap tells of data from \(at.entry) on, the descriptors from \(lowest.entry)"
    }
    sharesData = atLowest > 1
  }

  private mutating func report(_ what: String) { damage = damage ?? what }

  /// What is wrong with a descriptor, in words.
  private func problem(_ bytes: [UInt8], _ offset: UInt64) -> String? {
    guard let length = bytes.u32(at: 8), let flags = bytes.u32(at: 12) else { return nil }
    let size = UInt64(file.size)
    guard [0, 1, 2, 4, 0x20].contains(flags), length > 0, length <= KdumpHeader.pageSize,
      flags != 0 || UInt64(length) == KdumpHeader.pageSize
    else { return "is damaged: size \(length), flags \(UInt64(flags).entry)" }
    guard offset <= size, UInt64(length) <= size - offset else {
      return "leads past the end of the file at \(size.entry): it is cut off"
    }
    return nil
  }
}
