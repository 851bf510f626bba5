internal import PageTables

/// Files that gzip, xz or zstd packed.
enum PackedFormat: CaseIterable {
  case gzip, xz, zstd

  private var magic: [UInt8] {
    switch self {
    case .gzip: [0x1f, 0x8b]
    case .xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]
    case .zstd: [0x28, 0xb5, 0x2f, 0xfd]
    }
  }

  private var unpacker: (any Unpacker)? {
    switch self {
    case .gzip: GzipUnpacker()
    case .xz: XZUnpacker()
    case .zstd: ZstdUnpacker()
    }
  }

  /// What packed a file; nil where nothing did.
  static func of(_ file: MappedFile) -> PackedFormat? {
    allCases.first { file.bytes(at: 0, count: $0.magic.count) == $0.magic }
  }

  /// Unpacks a file into a temporary one.
  ///
  /// - Parameter limit: the bytes that it may unpack to.
  /// - Throws: `ImageError` where nothing of it can be unpacked, or more than `limit`.
  func unpack(_ file: MappedFile, limit: UInt64) throws(ImageError) -> MappedFile {
    guard let unpacker else {
      throw ImageError(file.path, "no memory to unpack it", advice: "close other programs")
    }
    let target = try TemporaryFile(for: file.path)
    let isWhole = try file.withBytes { source throws(ImageError) in
      try Self.unpack(source, by: unpacker, into: target, limit: limit)
    }
    guard isWhole || target.size > 0 else {
      throw ImageError(
        file.path, offset: 0, "packed by \(self), and it does not unpack",
        advice: "the file is cut off or damaged: copy it again")
    }
    return try target.mapped(
      damage: isWhole
        ? []
        : ["\(self) unpacks to \(target.size.readableSize) only: the file is cut off or damaged"])
  }

  /// Unpacks all of `source` behind what `target` holds.
  ///
  /// - Returns: whether it was whole.
  private static func unpack(
    _ source: Span<UInt8>, by unpacker: any Unpacker, into target: TemporaryFile, limit: UInt64
  ) throws(ImageError) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    var taken = 0
    while true {
      let count = min(source.count - taken, 1 << 20)
      let part = source.extracting(taken..<(taken + count))
      let isLast = taken + count == source.count
      let step = unsafe buffer.withUnsafeMutableBytes { room in
        unsafe part.withUnsafeBytes { unsafe unpacker.step($0, into: room, isLast: isLast) }
      }
      taken += step.taken
      try target.append(buffer.span.extracting(..<step.made), limit: limit)
      switch step.state {
      case .ended: return true
      case .damaged: return false
      // Nothing comes of nothing: it is cut off.
      case .more where step.taken == 0 && step.made == 0: return false
      case .more: continue
      }
    }
  }
}
