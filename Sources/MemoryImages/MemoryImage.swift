package import PageTables

/// A machine's memory as a file holds it, whatever the format.
package protocol MemoryImage: PhysicalMemory {
  var path: String { get }
  /// The format as reports name it: `elf-core`, …
  var format: String { get }
  /// Where the machine had memory, in order of addresses, without overlap.
  var ranges: [ClosedRange<UInt64>] { get }
  var notes: [ImageNote] { get }
  /// What the file lacks or contradicts: one line each.
  var damage: [String] { get }
  /// Whether the machine was a 32-bit one; nil where the format does not tell.
  var is32Bit: Bool? { get }
  /// What the kernel's text lies above its physical address, where the format tells.
  var textOffset: UInt64? { get }
  /// What an extract of ours says of itself; nil for an image that is none.
  var extract: Extract.Contents? { get }

  /// Copies physical memory.
  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8]
  /// Visits every page that the image holds, with a look at its first bytes.
  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void)
}

extension MemoryImage {
  package var notes: [ImageNote] { [] }
  package var is32Bit: Bool? { nil }
  package var textOffset: UInt64? { nil }
  package var extract: Extract.Contents? { nil }

  package func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    for range in ranges {
      var address = range.lowerBound
      while address <= range.upperBound {
        body(address) { wanted in (try? read(at: address, count: wanted.count)) == wanted }
        guard range.upperBound - address >= 4096 else { break }
        address += 4096
      }
    }
  }
}

/// A note of an image: who wrote it, its type, and what it says.
package struct ImageNote: Sendable, Equatable {
  package let name: String
  package let type: UInt32
  package let bytes: [UInt8]
  /// Where its content lies in the file.
  package let offset: UInt64
}

/// Opens a file in whatever format it is, found from its content.
package enum ImageFile {
  /// - Returns: nil where the file is no memory image of a known format.
  /// - Throws: `ImageError` where it is one and cannot be read.
  package static func open(_ file: MappedFile) throws(ImageError) -> (any MemoryImage)? {
    if ELFFormat.matches(file) { return try ELFFormat.read(file) }
    return nil
  }

  /// Opens a file that must be a memory image.
  package static func open(path: String) throws(ImageError) -> any MemoryImage {
    if path == KcoreImage.file { return try KcoreImage() }
    guard let image = try open(try MappedFile(path: path)) else {
      throw ImageError(path, offset: 0, "expected a memory image (ELF core)", advice: "give one")
    }
    return image
  }
}
