internal import Foundation

/// A small ELF memory image, declared table by table.
package struct ImageWriter {
  /// By address; an empty one is memory whose content the image leaves out.
  private var pages: [UInt64: [UInt8]] = [:]
  private var notes: [(name: String, bytes: [UInt8])] = []

  /// - Parameter root: the physical address that CR3 of the only CPU holds.
  package init(root: UInt64) {
    // QEMU's note: 440 bytes, CR3 at 416, CR4 at 424 (PAE, PGE).
    var cpu = [UInt8](repeating: 0, count: 440)
    for index in 0..<8 { cpu[416 + index] = UInt8(truncatingIfNeeded: root >> UInt64(8 * index)) }
    cpu[424] = 0xa0
    notes.append((name: "QEMU", bytes: cpu))
  }

  /// Sets entries of the table at `address`.
  package mutating func table(_ address: UInt64, _ entries: [Int: UInt64]) {
    var page = pages[address] ?? [UInt8](repeating: 0, count: 4096)
    for (index, entry) in entries {
      for byte in 0..<8 {
        page[index * 8 + byte] = UInt8(truncatingIfNeeded: entry >> UInt64(8 * byte))
      }
    }
    pages[address] = page
  }

  /// Fills the page at `address` with text.
  package mutating func page(_ address: UInt64, text: String) {
    pages[address] = Array((0..<4096).map { Array(text.utf8)[$0 % text.utf8.count] })
  }

  /// Leaves out the page at `address`, as a filtered dump does: memory without content.
  package mutating func missing(_ address: UInt64) {
    pages[address] = []
  }

  /// Writes the image; each page is a segment of its own.
  package func write(to path: String) throws {
    var bytes: [UInt8] = []
    func put(_ value: UInt64, _ size: Int) {
      for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
    var note: [UInt8] = []
    for (name, description) in notes {
      for value in [UInt32(name.utf8.count + 1), UInt32(description.count), 0] {
        for index in 0..<4 { note.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index))) }
      }
      for part in [Array(name.utf8) + [0], description] {
        note += part + [UInt8](repeating: 0, count: (4 - part.count % 4) % 4)
      }
    }
    let sorted = pages.sorted { $0.key < $1.key }
    bytes = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    let header: [(UInt64, Int)] = [
      (4, 2), (62, 2), (1, 4), (0, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2),
      (UInt64(sorted.count + 1), 2), (0, 2), (0, 2), (0, 2),
    ]
    for (value, size) in header { put(value, size) }
    var offset = UInt64(64 + 56 * (sorted.count + 1))
    func program(_ type: UInt64, _ physical: UInt64, fileSize: Int, memorySize: Int) {
      put(type, 4)
      put(0, 4)
      for value in [offset, 0, physical, UInt64(fileSize), UInt64(memorySize), 0] { put(value, 8) }
      offset += UInt64(fileSize)
    }
    program(4, 0, fileSize: note.count, memorySize: note.count)
    for (address, page) in sorted {
      program(1, address, fileSize: page.count, memorySize: 4096)
    }
    bytes += note
    for (_, page) in sorted { bytes += page }
    try Data(bytes).write(to: URL(filePath: path))
  }
}
