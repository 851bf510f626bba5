import Glibc
internal import PageTables

/// An unlinked file that unpacked or rearranged content goes into; zeros take no space in it.
final class TemporaryFile {
  private let source: String
  private let folder: String
  private let descriptor: Int32
  /// Where the content ends.
  private(set) var size: UInt64 = 0

  /// - Parameter source: the file whose content goes in, for messages.
  init(for source: String) throws(ImageError) {
    self.source = source
    folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var name = Array("\(folder)/ptdump-lint-XXXXXX".utf8CString)
    descriptor = unsafe name.withUnsafeMutableBufferPointer {
      unsafe $0.baseAddress.map { unsafe mkstemp($0) } ?? -1
    }
    guard descriptor >= 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { throw failure() }
    _ = unsafe name.withUnsafeBufferPointer { unsafe $0.baseAddress.map { unsafe unlink($0) } }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private func failure() -> ImageError {
    ImageError(
      source, failingTo: "cannot be unpacked into \(folder)", code: errno,
      advice: "set TMPDIR to a folder with more space")
  }

  /// Writes `bytes` at `offset`.
  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) {
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress, let at = off_t(exactly: offset) else { return -1 }
        return unsafe pwrite(descriptor, base + done, buffer.count - done, at + done)
      }
      guard count > 0 else { throw failure() }
      done += count
    }
    size = max(size, offset + UInt64(done))
  }

  /// Writes what `descriptor` gives, to its end, behind what is there.
  ///
  /// - Parameter limit: the size in bytes from which it is refused.
  func take(from descriptor: Int32, limit: UInt64) throws(ImageError) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      try append(buffer.span.extracting(..<count), limit: limit)
    }
  }

  /// Writes `bytes` behind what is there.
  ///
  /// - Parameter limit: the size in bytes from which it is refused.
  func append(_ bytes: Span<UInt8>, limit: UInt64) throws(ImageError) {
    guard size + UInt64(bytes.count) <= limit else {
      throw ImageError(
        source, "unpacks to more than \(limit.readableSize)",
        advice: "is it the right file? give it unpacked")
    }
    if bytes.indices.allSatisfy({ bytes[$0] == 0 }) {
      size += UInt64(bytes.count)
    } else {
      try write(bytes, at: size)
    }
  }

  /// The content, under the name of the file that it came from.
  func mapped(damage: [String]) throws(ImageError) -> MappedFile {
    guard let end = off_t(exactly: size), ftruncate(descriptor, end) == 0 else { throw failure() }
    return try MappedFile(fcntl(descriptor, F_DUPFD_CLOEXEC, 0), path: source, damage: damage)
  }
}
