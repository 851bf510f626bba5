internal import Foundation
package import MemoryImages

/// A small ELF memory image, declared table by table.
package struct ImageWriter {
  /// By address; an empty one is memory whose content the image leaves out.
  private var pages: [UInt64: [UInt8]] = [:]
  private var notes: [(name: String, bytes: [UInt8])] = []
  package var machine = Machine.x86_64

  /// - Parameter root: the physical address that CR3 of the only CPU holds.
  package init(root: UInt64) {
    // QEMU's note: 440 bytes, CR3 at 416, CR4 at 424 (PAE, PGE).
    var cpu = [UInt8](repeating: 0, count: 440)
    for index in 0..<8 { cpu[416 + index] = UInt8(truncatingIfNeeded: root >> UInt64(8 * index)) }
    cpu[424] = 0xa0
    notes.append((name: "QEMU", bytes: cpu))
  }

  /// Sets a control register of the only CPU.
  package mutating func register(_ name: String, _ value: UInt64) {
    guard let offset = ["CR0": 392, "CR4": 424][name] else { return }
    for index in 0..<8 {
      notes[0].bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
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

  /// Adds the kernel's own note.
  package mutating func note(vmcoreinfo text: String) {
    notes.append((name: "VMCOREINFO", bytes: Array(text.utf8)))
  }

  /// Writes the image; each page is a segment of its own.
  package func write(to path: String) throws {
    var core = ELFCore()
    core.machine = machine
    core.notes = notes.map { ELFCore.Note(name: $0.name, bytes: $0.bytes) }
    core.segments = pages.sorted { $0.key < $1.key }.map {
      ELFCore.Segment(physical: $0.key, bytes: $0.value, size: 4096)
    }
    try Data(core.encoded()).write(to: URL(filePath: path))
  }
}
