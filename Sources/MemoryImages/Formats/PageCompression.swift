internal import CLzo
internal import CZlib
internal import CZstd

/// How makedumpfile packed a page: the flags of its descriptor.
///
/// Source: diskdump_mod.h of makedumpfile 1.7.2 (`DUMP_DH_COMPRESSED_*`).
enum PageCompression: UInt32 {
  case none = 0
  case zlib = 1
  case lzo = 2
  case snappy = 4
  case zstd = 0x20

  /// Unpacks one page of `size` bytes; nil where the data is damaged, or of another size.
  func unpack(_ packed: [UInt8], size: UInt64) -> [UInt8]? {
    let size = Int(size)
    switch self {
    case .none: return packed.count == size ? packed : nil
    case .snappy:
      let page = Snappy.unpack(packed.span)
      return page?.count == size ? page : nil
    case .zlib, .lzo, .zstd: break
    }
    var page = [UInt8](repeating: 0, count: size)
    let made = unsafe page.withUnsafeMutableBufferPointer { target in
      unsafe packed.withUnsafeBufferPointer { source in unsafe unpack(source, into: target) }
    }
    return made == size ? page : nil
  }

  // Whether the library's types are of the sizes that its header says.
  private static let lzoIsReady = lzo_start() == LZO_E_OK

  /// Unpacks by the method's library; the bytes made, or nil where the data is damaged.
  private func unpack(
    _ source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
  ) -> Int? {
    switch self {
    case .none, .snappy: return nil
    case .zlib:
      var made = uLongf(target.count)
      let status = unsafe uncompress(
        target.baseAddress, &made, source.baseAddress, uLong(source.count))
      return status == Z_OK ? Int(made) : nil
    case .lzo:
      guard Self.lzoIsReady else { return nil }
      var made = lzo_uint(target.count)
      let status = unsafe lzo1x_decompress_safe(
        source.baseAddress, lzo_uint(source.count), target.baseAddress, &made, nil)
      return status == LZO_E_OK ? Int(made) : nil
    case .zstd:
      let made = unsafe ZSTD_decompress(
        target.baseAddress, target.count, source.baseAddress, source.count)
      return ZSTD_isError(made) == 0 ? made : nil
    }
  }
}
