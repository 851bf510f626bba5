import Glibc
internal import PageTables

/// A whole file, mapped for reading; every access is checked against the size it had on opening.
@safe package final class MappedFile: Sendable {
  package let path: String
  package let size: Int
  package let descriptor: Int32
  /// What was lost on the way to this content, where it was unpacked or rearranged: a line each.
  package let damage: [String]
  // The mapping is never written to and lives as long as the object.
  private nonisolated(unsafe) let base: UnsafeRawPointer?

  /// Opens `path`.
  ///
  /// - Throws: `ImageError` where the file cannot be opened or mapped.
  package convenience init(path: String) throws(ImageError) {
    try self.init(unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC), path: path)
  }

  /// Takes over a descriptor; a negative one is a failure to open `path`.
  init(_ descriptor: Int32, path: String, damage: [String] = []) throws(ImageError) {
    self.path = path
    self.damage = damage
    func failure(_ what: String) -> ImageError {
      let code = errno
      if descriptor >= 0 { close(descriptor) }
      return ImageError(
        path, failingTo: "cannot \(what)", code: code,
        advice: "check the name and the permissions")
    }
    guard descriptor >= 0 else { throw failure("open") }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw failure("stat") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ImageError(
        path, "is not a regular file", advice: "give a file, a pipe, or - for standard input")
    }
    size = Int(status.st_size)
    self.descriptor = descriptor
    if size == 0 {
      unsafe base = nil
    } else {
      guard let mapping = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
        unsafe mapping != MAP_FAILED
      else { throw failure("map") }
      unsafe base = UnsafeRawPointer(mapping)
      fetchFirst()
    }
  }

  deinit {
    if let base = unsafe base { unsafe munmap(UnsafeMutableRawPointer(mutating: base), size) }
    close(descriptor)
  }

  /// Copies `count` bytes from `offset`; nil where the file does not hold them all.
  package func bytes(at offset: UInt64, count: Int) -> [UInt8]? {
    guard let source = unsafe mapped(at: offset, count: count) else { return nil }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: source, count: count))
  }

  /// `SEEK_DATA` and `SEEK_HOLE`, which Swift's Glibc leaves out.
  ///
  /// Source: include/uapi/linux/fs.h, 6.12.
  private static let seekData: Int32 = 3
  private static let seekHole: Int32 = 4

  /// The next stretch from `start` on that the file system holds; what lies between such is zeros.
  ///
  /// Nil where only zeros follow. A file system without holes holds all of a file.
  func nextData(from start: Int) -> Range<Int>? {
    guard start >= 0, start < size else { return nil }
    let data = lseek(descriptor, start, Self.seekData)
    guard data >= 0 else { return errno == ENXIO ? nil : start..<size }
    let hole = lseek(descriptor, data, Self.seekHole)
    guard data < size else { return nil }
    return data..<(hole > data ? min(hole, size) : size)
  }

  /// Where `count` bytes from `offset` are mapped; nil where the file does not hold them all.
  func mapped(at offset: UInt64, count: Int) -> UnsafeRawPointer? {
    guard let base = unsafe base, count >= 0, let start = Int(exactly: offset), start <= size,
      count <= size - start
    else { return nil }
    return unsafe base + start
  }

  /// Copies whole words from `offset` into `words`; false where the file does not hold them all.
  func copyWords(at offset: UInt64, into words: inout [UInt64]) -> Bool {
    let count = words.count * 8
    guard let source = unsafe mapped(at: offset, count: count) else { return false }
    unsafe words.withUnsafeMutableBytes { target in
      unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: count))
    }
    return true
  }

  /// The whole content but for its holes; that of a file without a size (procfs, debugfs) is read to
  /// its end.
  ///
  /// A text has no holes, and a file of a few KiB may claim gigabytes of them.
  ///
  /// - Throws: `ImageError` where it is longer than `limit` bytes, or cannot be read.
  package func wholeContent(limit: Int) throws(ImageError) -> [UInt8] {
    guard size > 0 else { return try contentToEnd(limit: limit) }
    guard size <= limit else {
      throw ImageError(
        path, "more than \(UInt64(limit).readableSize) of text", advice: "is it the right file?")
    }
    var content: [UInt8] = []
    var at = 0
    while let data = nextData(from: at) {
      content += bytes(at: UInt64(data.lowerBound), count: data.count) ?? []
      at = data.upperBound
    }
    return content
  }

  /// Calls `body` with the whole content but for its holes, where it is mapped if it has none.
  ///
  /// debugfs and procfs files have no size until they are read.
  ///
  /// - Throws: what `body` does; `ImageError` where it is longer than `limit` bytes, or cannot be
  ///   read.
  package func withText<Result>(
    limit: Int, _ body: (Span<UInt8>) throws(ImageError) -> Result
  ) throws(ImageError) -> Result {
    if isHeldWhole { return try withBytes(body) }
    return try unsafe wholeContent(limit: limit).withUnsafeBufferPointer {
      buffer throws(ImageError) in
      try unsafe body(buffer.span)
    }
  }

  /// Whether the file system holds each byte of it: it has a size and no holes.
  private var isHeldWhole: Bool { nextData(from: 0) == 0..<size }

  /// What reading gives up to the end, whatever the size that the file claims (sysfs: a page).
  ///
  /// - Throws: `ImageError` where it is longer than `limit` bytes, or cannot be read.
  package func contentToEnd(limit: Int) throws(ImageError) -> [UInt8] {
    try readToEnd(descriptor, name: path, limit: limit)
  }

  /// Calls `body` with the whole file.
  package func withBytes<Result, Failure: Error>(
    _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let buffer = unsafe UnsafeBufferPointer(
      start: base?.assumingMemoryBound(to: UInt8.self), count: base == nil ? 0 : size)
    return try unsafe body(buffer.span)
  }
}

/// Little-endian numbers in bytes; nil outside them.
extension [UInt8] {
  package func number(at offset: Int, size: Int) -> UInt64? {
    guard offset >= 0, size >= 0, size <= count, offset <= count - size else { return nil }
    return unsafe withUnsafeBytes { bytes in
      switch size {
      case 8:
        UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      case 4:
        UInt64(
          UInt32(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      default:
        unsafe bytes[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      }
    }
  }

  package func u32(at offset: Int) -> UInt32? {
    number(at: offset, size: 4).map { UInt32(truncatingIfNeeded: $0) }
  }

  package func u64(at offset: Int) -> UInt64? { number(at: offset, size: 8) }
}

/// Reads a descriptor to its end: standard input, or a file without a size.
///
/// - Throws: `ImageError` where more than `limit` bytes come, or reading fails.
func readToEnd(_ descriptor: Int32, name: String, limit: Int) throws(ImageError) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe read(descriptor, $0.baseAddress, $0.count)
    }
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else {
      throw ImageError(
        name, failingTo: "cannot be read", code: errno, advice: "check the permissions")
    }
    guard count > 0 else { return bytes }
    bytes += buffer[..<count]
    guard bytes.count <= limit else {
      throw ImageError(
        name, "more than \(UInt64(limit).readableSize) of text", advice: "is it the right file?")
    }
  }
}
