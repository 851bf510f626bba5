package import MemoryImages
package import PageTables

/// Reads kernel virtual memory through the tables.
package struct VirtualReader {
  let mode: TableFormat
  let root: UInt64
  let memory: any MemoryImage
  /// The bytes of a pointer and of a `long`.
  let wordSize: Int
  /// Where the direct map starts, so that memory is found there whose entries are lost.
  private var directMap: UInt64?

  init(_ root: Root, _ memory: any MemoryImage) {
    self.init(mode: root.mode, root: root.address, memory: memory)
  }

  package init(mode: TableFormat, root: UInt64, memory: any MemoryImage) {
    self.mode = mode
    self.root = root
    self.memory = memory
    wordSize = mode.architecture.wordSize
  }

  /// The same, which finds memory by its place in the direct map where entries are lost.
  ///
  /// Where the image lies in the direct map, vmalloc is not told from memory.
  package func finding(memoryFrom directMap: UInt64?) -> VirtualReader {
    var reader = self
    reader.directMap = mode.architecture.imageIsInDirectMap ? nil : directMap
    return reader
  }

  package func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    // Tables may show one page at any number of addresses: no structure is longer than the file.
    guard count >= 0, count <= 64 << 20, UInt64(count) <= memory.heldBytes else { return nil }
    var found: [UInt8] = []
    found.reserveCapacity(count)
    var at = address
    while found.count < count {
      guard let (physical, size) = place(of: at) else { return nil }
      let inLeaf = size - (at & (size - 1))
      let part = Int(min(UInt64(count - found.count), inLeaf))
      guard let bytes = try? memory.read(at: physical, count: part) else {
        // A large leaf of which an extract holds some pages: page by page.
        let inPage = min(part, Int(mode.granule - (at & (mode.granule - 1))))
        guard let page = try? memory.read(at: physical, count: inPage) else { return nil }
        found += page
        at &+= UInt64(inPage)
        continue
      }
      found += bytes
      at &+= UInt64(part)
    }
    return found
  }

  /// Where an address leads, and the bytes of the leaf that it lies in.
  private func place(of address: UInt64) -> (physical: UInt64, size: UInt64)? {
    switch mode.end(of: address, root: root, memory: memory) {
    case .leaf(let physical, let size): return (physical, size)
    case .notPresent:
      // By its place, as the kernel computes it: past the end of memory nothing is read.
      guard let directMap, address >= directMap else { return nil }
      return (address - directMap, mode.granule)
    default: return nil
    }
  }

  /// A number of `size` bytes; of a pointer's size where none is given.
  func word(at address: UInt64, size: Int? = nil) -> UInt64? {
    let size = size ?? wordSize
    return bytes(at: address, count: size)?.number(at: 0, size: size)
  }

  /// The kernel's array of `struct addr_marker`, which ends with the highest address.
  func markers(at address: UInt64) -> [AddressMarker]? {
    let word = wordSize
    let size = mode.architecture.markerWords * word
    var found: [AddressMarker] = []
    while found.count < 64,
      let bytes = bytes(at: address &+ UInt64(found.count * size), count: size),
      let start = bytes.number(at: 0, size: word),
      let name = bytes.number(at: word, size: word)
    {
      let lines = bytes.number(at: 2 * word, size: word) ?? 0
      if start == mode.top { return found.isEmpty ? nil : found }
      guard let text = string(at: name), !text.isEmpty, lines < 1 << 20 else { return nil }
      found.append(AddressMarker(start: start, name: text, maxLines: Int(lines)))
    }
    return nil
  }

  /// A string of at most 63 bytes that ends with a zero.
  func string(at address: UInt64) -> String? {
    // The string may end just before a page that is not there.
    let inPage = Int(mode.granule - address & (mode.granule - 1))
    guard let bytes = bytes(at: address, count: 64) ?? bytes(at: address, count: min(64, inPage))
    else { return nil }
    let text = bytes.prefix { $0 != 0 }
    guard text.count < bytes.count, text.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return nil }
    return String(decoding: text, as: UTF8.self)
  }

  /// Memory of which some pages may not be there; nil where none is, or where it is too long.
  func sparse(at address: UInt64, count: Int) -> SparseBytes? {
    if let bytes = bytes(at: address, count: count) { return SparseBytes(bytes: bytes) }
    guard count >= 0, count <= 64 << 20, UInt64(count) <= memory.heldBytes else { return nil }
    var found = SparseBytes(bytes: [])
    var missing: [ClosedRange<UInt64>] = []
    found.bytes.reserveCapacity(count)
    while found.bytes.count < count {
      let at = address &+ UInt64(found.bytes.count)
      let part = min(count - found.bytes.count, Int(mode.granule - (at & (mode.granule - 1))))
      if let page = bytes(at: at, count: part) {
        found.bytes += page
      } else {
        missing.append(UInt64(found.bytes.count)...UInt64(found.bytes.count + part - 1))
        found.bytes += repeatElement(0, count: part)
      }
    }
    found.missing = RangeSet(missing)
    return found.missing.first == 0...UInt64(max(1, count) - 1) ? nil : found
  }
}

/// Bytes of which some are not known.
struct SparseBytes {
  fileprivate(set) var bytes: [UInt8]
  fileprivate var missing = RangeSet()

  fileprivate init(bytes: [UInt8]) { self.bytes = bytes }

  /// Bytes that are all known; nil where they are not, or lie outside.
  func slice(at offset: Int, count: Int) -> ArraySlice<UInt8>? {
    isKnown(at: offset, count: count) ? bytes[offset..<(offset + count)] : nil
  }

  /// A little-endian number.
  func number(at offset: Int, size: Int) -> UInt64? {
    isKnown(at: offset, count: size) ? bytes.number(at: offset, size: size) : nil
  }

  private func isKnown(at offset: Int, count: Int) -> Bool {
    guard offset >= 0, count >= 0, count <= bytes.count, offset <= bytes.count - count else {
      return false
    }
    return count == 0 || missing.isEmpty
      || !missing.parts(in: UInt64(offset)...UInt64(offset + count - 1)).contains { _ in true }
  }
}
