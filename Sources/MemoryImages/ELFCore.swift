/// An ELF core in the making: notes, and stretches of physical memory.
package struct ELFCore: Sendable {
  package struct Note: Sendable {
    package let name: String
    package let type: UInt32
    package var bytes: [UInt8]

    package init(name: String, type: UInt32 = 0, bytes: [UInt8]) {
      self.name = name
      self.type = type
      self.bytes = bytes
    }
  }

  package struct Segment: Sendable {
    package let physical: UInt64
    package let virtual: UInt64
    package var bytes: [UInt8]
    /// Size in bytes of the memory; more than `bytes` where the rest is left out.
    package var size: UInt64

    package init(physical: UInt64, virtual: UInt64 = 0, bytes: [UInt8], size: UInt64? = nil) {
      self.physical = physical
      self.virtual = virtual
      self.bytes = bytes
      self.size = size ?? UInt64(bytes.count)
    }
  }

  package var notes: [Note] = []
  package var segments: [Segment] = []
  /// The file is ELF64 whatever the machine, as QEMU's is.
  package var machine = Machine.x86_64

  package init() {}

  /// Adds a page behind the last segment, or to a segment of its own.
  package mutating func add(page: [UInt8], at physical: UInt64) {
    if let last = segments.last, last.physical + last.size == physical {
      segments[segments.count - 1].bytes += page
      segments[segments.count - 1].size += UInt64(page.count)
    } else {
      segments.append(Segment(physical: physical, bytes: page))
    }
  }

  /// Where the content of note `index` lies in the file.
  package func offset(ofNote index: Int) -> Int {
    var at = 64 + 56 * (segments.count + 1)
    for note in notes[..<index] { at += Self.encoded(note).count }
    return at + 12 + (notes[index].name.utf8.count + 4) & ~3
  }

  /// The notes, one behind the other.
  package var noteBytes: [UInt8] { notes.flatMap(Self.encoded) }

  /// The file: headers, notes, memory.
  package func encoded() -> [UInt8] {
    let noteBytes = noteBytes
    // A count that does not fit stands in a section header, behind all else.
    let count = UInt64(segments.count + 1)
    let isExtended = count >= 0xffff
    let sectionHeaders =
      isExtended
      ? UInt64(64 + 56 * (segments.count + 1) + noteBytes.count)
        + segments.reduce(0) { $0 + UInt64($1.bytes.count) } : 0
    let headers = 64 + 56 * (segments.count + 1)
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    file.reserveCapacity(headers + noteBytes.count + segments.reduce(0) { $0 + $1.bytes.count })
    // e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, sizes and counts.
    let header: [(UInt64, Int)] = [
      (4, 2), (UInt64(machine.rawValue), 2), (1, 4), (0, 8), (64, 8), (sectionHeaders, 8), (0, 4),
      (64, 2),
      (56, 2), (min(count, 0xffff), 2), (isExtended ? 64 : 0, 2), (isExtended ? 1 : 0, 2), (0, 2),
    ]
    for (value, size) in header { file.append(value, size: size) }
    var offset = UInt64(headers)
    func program(
      _ type: UInt64, physical: UInt64 = 0, virtual: UInt64 = 0, held: Int, size: UInt64
    ) {
      file.append(type, size: 4)
      file.append(type == 1 ? 4 : 0, size: 4)
      for value in [offset, virtual, physical, UInt64(held), size, 0] {
        file.append(value, size: 8)
      }
      offset += UInt64(held)
    }
    program(4, held: noteBytes.count, size: UInt64(noteBytes.count))
    for segment in segments {
      program(
        1, physical: segment.physical, virtual: segment.virtual, held: segment.bytes.count,
        size: segment.size)
    }
    file += noteBytes
    for segment in segments { file += segment.bytes }
    if isExtended {
      // PN_XNUM: sh_info of the first section header holds the count.
      file += [UInt8](repeating: 0, count: 44)
      file.append(count, size: 4)
      file += [UInt8](repeating: 0, count: 16)
    }
    return file
  }

  private static func encoded(_ note: Note) -> [UInt8] {
    var made: [UInt8] = []
    for value in [UInt64(note.name.utf8.count + 1), UInt64(note.bytes.count), UInt64(note.type)] {
      made.append(value, size: 4)
    }
    for part in [Array(note.name.utf8) + [0], note.bytes] {
      made += part + [UInt8](repeating: 0, count: (4 - part.count & 3) & 3)
    }
    return made
  }
}

extension [UInt8] {
  /// Appends the low `size` bytes of a number, little-endian.
  package mutating func append(_ value: UInt64, size: Int) {
    for index in 0..<size { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }
}
