internal import PageTables

/// A stream that says where each of its pieces belongs: `makedumpfile -F`, and QEMU's kdump-zlib.
///
/// A header of 4096 bytes, then pieces of an offset, a size (both 8 bytes, big-endian) and that
/// many bytes; -1 and -1 end it. Source: `makedumpfile_header`, makedumpfile.h 1.7.2.
enum FlattenedFormat {
  private static let headerSize = 4096

  static func matches(_ file: MappedFile) -> Bool {
    file.bytes(at: 0, count: 16) == Array("makedumpfile".utf8) + [0, 0, 0, 0]
  }

  /// Puts the pieces where they belong, in a temporary file.
  static func rearrange(_ file: MappedFile) throws(ImageError) -> MappedFile {
    func number(_ offset: Int) -> UInt64? {
      file.bytes(at: UInt64(offset), count: 8).map { $0.reduce(0) { $0 << 8 | UInt64($1) } }
    }
    guard number(16) == 1, number(24) == 1 else {
      throw ImageError(
        file.path, offset: 16, "a flattened dump of unknown type or version, expected 1 and 1",
        advice: "rearrange it with makedumpfile -R")
    }
    // All that is rearranged is in the stream; what it leaves between its pieces is little.
    let limit = UInt64(file.size) * 2 + 1 << 30
    let target = try TemporaryFile(for: file.path)
    var damage = file.damage
    var at = headerSize
    while true {
      guard let offset = number(at), let size = number(at + 8) else {
        damage.append("the flattened dump ends at \(UInt64(file.size).entry) without an end record")
        break
      }
      if offset == .max, size == .max { break }
      at += 16
      guard offset <= limit, size <= limit - offset else {
        damage.append(
          "the record at \((UInt64(at) - 16).entry) is damaged: offset \(offset.entry), size "
            + size.entry)
        break
      }
      let held = min(Int(size), file.size - at)
      try file.withBytes { (bytes) throws(ImageError) in
        try target.write(bytes.extracting(at..<(at + held)), at: offset)
      }
      at += held
    }
    return try target.mapped(damage: damage)
  }
}
