internal import PageTables

/// LiME's format: each stretch of memory behind a header of 32 bytes.
///
/// The header: magic, version (4 bytes each), first and last address, zero (8 bytes each),
/// little-endian. Source: `lime_mem_range_header`, lime.h of LiME 1.9.1.
enum LiMEFormat {
  static let magic: [UInt8] = Array("EMiL".utf8)
  static let headerSize = 32

  static func matches(_ file: MappedFile) -> Bool { file.bytes(at: 0, count: 4) == magic }

  /// A header's range and where its content starts; nil where there is none of that kind.
  static func range(
    in file: MappedFile, at offset: Int, magic: [UInt8], version: UInt32
  ) -> ClosedRange<UInt64>? {
    guard let header = file.bytes(at: UInt64(offset), count: headerSize),
      Array(header[..<4]) == magic, header.u32(at: 4) == version, header.u64(at: 24) == 0,
      let first = header.u64(at: 8), let last = header.u64(at: 16), first <= last, last < 1 << 52
    else { return nil }
    return first...last
  }

  static func read(_ file: MappedFile) throws(ImageError) -> SegmentImage {
    var damage = file.damage
    var segments: [SegmentImage.Segment] = []
    var at = 0
    while at < file.size {
      guard let range = range(in: file, at: at, magic: magic, version: 1) else {
        damage.append("expected a LiME header (EMiL, version 1) at \(UInt64(at).entry)")
        break
      }
      let size = range.upperBound - range.lowerBound + 1
      let start = at + headerSize
      let available = min(size, UInt64(file.size - start))
      if available < size {
        damage.append(
          "the memory from \(range.lowerBound.entry) to \(range.upperBound.entry) is cut off at "
            + UInt64(file.size).entry)
      }
      segments.append(
        SegmentImage.Segment(
          physical: range.lowerBound, size: size, offset: UInt64(start), available: available))
      at = start + Int(available)
    }
    guard !segments.isEmpty else {
      throw ImageError(
        file.path, offset: 0, "expected a LiME header of version 1",
        advice: "the file is damaged: copy it again, or take the dump again")
    }
    return SegmentImage(
      file, format: "lime", segments: segments, damage: damage, tellsAllMemory: false)
  }
}

/// Memory as it is, from an address on that the user gives.
enum RawFormat {
  static func read(_ file: MappedFile, base: UInt64) throws(ImageError) -> SegmentImage {
    guard file.size >= 4096, base & 4095 == 0, base <= 1 << 52, file.size <= 1 << 52 else {
      throw ImageError(
        file.path, "\(file.size) bytes of raw memory at \(base.entry)",
        advice: "give a file of whole pages, and with --base the address of its first page")
    }
    let whole = UInt64(file.size) & ~4095
    let damage =
      whole == UInt64(file.size)
      ? [] : ["the file ends within a page, at \(UInt64(file.size).entry)"]
    return SegmentImage(
      file, format: "raw",
      segments: [.init(physical: base, size: whole, offset: 0, available: whole)],
      damage: file.damage + damage)
  }
}
