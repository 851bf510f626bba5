internal import CLzma
internal import CZlib
internal import CZstd

/// What one call of an unpacker did.
struct UnpackStep {
  /// The bytes that were taken and made.
  var taken = 0
  var made = 0
  var state = State.more

  enum State { case more, ended, damaged }
}

/// Unpacks a stream, some bytes at a time.
protocol Unpacker: AnyObject {
  /// Takes of `source` and makes `target`.
  ///
  /// - Parameter isLast: whether nothing comes after `source`.
  func step(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, isLast: Bool
  ) -> UnpackStep
}

/// gzip's members, one after the other.
///
/// Source: RFC 1952, zlib 1.2.13's zlib.h.
@safe final class GzipUnpacker: Unpacker {
  private var stream = unsafe z_stream()
  /// Whether a member begins here, or the padding after the last.
  private var isBetween = false

  init?() {
    // 16 more than the window's bits: gzip's header.
    guard
      unsafe inflateInit2_(
        &stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { return nil }
  }

  deinit { unsafe inflateEnd(&stream) }

  func step(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, isLast: Bool
  ) -> UnpackStep {
    if isBetween {
      if unsafe source.isEmpty { return UnpackStep(state: .ended) }
      // A tape's padding.
      let zeros = unsafe source.prefix { $0 == 0 }.count
      if zeros > 0 {
        let isAll = zeros == source.count
        return UnpackStep(taken: zeros, state: isLast && isAll ? .ended : .more)
      }
      unsafe inflateReset(&stream)
      isBetween = false
    }
    unsafe stream.next_in = UnsafeMutablePointer(
      mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
    unsafe stream.avail_in = UInt32(source.count)
    unsafe stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.avail_out = UInt32(target.count)
    let status = unsafe inflate(&stream, Z_NO_FLUSH)
    var step = unsafe UnpackStep(
      taken: source.count - Int(stream.avail_in), made: target.count - Int(stream.avail_out))
    isBetween = status == Z_STREAM_END
    if isBetween, isLast, step.taken == source.count { step.state = .ended }
    if ![Z_OK, Z_STREAM_END, Z_BUF_ERROR].contains(status) { step.state = .damaged }
    return step
  }
}

/// xz's streams.
///
/// Source: liblzma 5.4's lzma/container.h.
@safe final class XZUnpacker: Unpacker {
  private var stream = unsafe lzma_stream()
  /// xz -9 takes 65 MB, the largest dictionary of the format 1.6 GB.
  private static let memory: UInt64 = 2 << 30

  init?() {
    guard
      unsafe lzma_stream_decoder(&stream, Self.memory, lzma_concatenated) == LZMA_OK
    else { return nil }
  }

  deinit { unsafe lzma_end(&stream) }

  func step(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, isLast: Bool
  ) -> UnpackStep {
    unsafe stream.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.avail_in = source.count
    unsafe stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.avail_out = target.count
    let status = unsafe lzma_code(&stream, isLast ? LZMA_FINISH : LZMA_RUN)
    var step = unsafe UnpackStep(
      taken: source.count - stream.avail_in, made: target.count - stream.avail_out)
    switch status {
    case LZMA_OK: break
    case LZMA_STREAM_END: step.state = .ended
    default: step.state = .damaged
    }
    return step
  }
}

/// zstd's frames.
///
/// Source: RFC 8878, zstd 1.5.4's zstd.h: it takes 128 MB for a window at most.
@safe final class ZstdUnpacker: Unpacker {
  private let stream: OpaquePointer
  /// Whether a frame was not ended yet.
  private var isWithin = true

  init?() {
    guard let stream = unsafe ZSTD_createDStream() else { return nil }
    unsafe self.stream = stream
  }

  deinit { unsafe ZSTD_freeDStream(stream) }

  func step(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, isLast: Bool
  ) -> UnpackStep {
    if unsafe source.isEmpty, !isWithin { return UnpackStep(state: .ended) }
    var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
    var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
    let status = unsafe ZSTD_decompressStream(stream, &output, &input)
    guard ZSTD_isError(status) == 0 else {
      return unsafe UnpackStep(taken: input.pos, made: output.pos, state: .damaged)
    }
    isWithin = status != 0
    var step = unsafe UnpackStep(taken: input.pos, made: output.pos)
    if isLast, !isWithin, step.taken == source.count { step.state = .ended }
    return step
  }
}
