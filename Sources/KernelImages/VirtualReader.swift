internal import MemoryImages
internal import PageTables

/// Reads kernel virtual memory through the tables.
struct VirtualReader {
  let mode: TableFormat
  let root: UInt64
  let memory: any MemoryImage
  /// The bytes of a pointer and of a `long`.
  let wordSize: Int

  init(_ root: Root, _ memory: any MemoryImage) {
    self.init(mode: root.mode, root: root.address, memory: memory)
  }

  init(mode: TableFormat, root: UInt64, memory: any MemoryImage) {
    self.mode = mode
    self.root = root
    self.memory = memory
    wordSize = mode.architecture.wordSize
  }

  func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    // Tables may show one page at any number of addresses: no structure is longer than the file.
    guard count >= 0, count <= 64 << 20, UInt64(count) <= memory.heldBytes else { return nil }
    var found: [UInt8] = []
    found.reserveCapacity(count)
    var at = address
    while found.count < count {
      guard case .leaf(let physical, let size) = mode.walk(at, root: root, memory: memory).end
      else { return nil }
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

  /// A number of `size` bytes; of a pointer's size where none is given.
  func word(at address: UInt64, size: Int? = nil) -> UInt64? {
    let size = size ?? wordSize
    return bytes(at: address, count: size)?.number(at: 0, size: size)
  }

  /// The kernel's array of `struct addr_marker`, which ends with the highest address.
  func markers(at address: UInt64) -> [AddressMarker]? {
    let word = wordSize
    var found: [AddressMarker] = []
    while found.count < 64,
      let bytes = bytes(at: address &+ UInt64(found.count * 3 * word), count: 3 * word),
      let start = bytes.number(at: 0, size: word),
      let name = bytes.number(at: word, size: word),
      let lines = bytes.number(at: 2 * word, size: word)
    {
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
}
