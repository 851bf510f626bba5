internal import PageTables

/// A note of an image: who wrote it, its type, and what it says.
package struct ImageNote: Sendable, Equatable {
  package let name: String
  package let type: UInt32
  package let bytes: [UInt8]
  /// Where its content lies in the file.
  package let offset: UInt64

  /// Who writes notes: the kernel and its kdump, QEMU, makedumpfile, Xen, and our own extracts.
  private static let writers: Set<String> = [
    "CORE", "LINUX", "VMCOREINFO", "VMCOREDD", "QEMU", "ERASEINFO", "Xen", "XEN_ELFNOTE", "GNU",
    "VMCOREINFO_XEN", "PTDUMPLINT",
  ]

  /// Reads a block of ELF notes.
  static func read(
    _ file: MappedFile, at offset: UInt64, size: UInt64, damage: inout [String]
  ) -> [ImageNote] {
    // 64 MiB is far above any machine's notes, and bounds what a bad header can ask for.
    guard let count = Int(exactly: size), count <= 64 << 20,
      let bytes = file.bytes(at: offset, count: count)
    else {
      damage.append("the notes at \(offset.entry) cannot be read")
      return []
    }
    return read(bytes, at: offset, damage: &damage)
  }

  /// Reads the ELF notes in `bytes`, which lie at `offset` of the file.
  static func read(_ bytes: [UInt8], at offset: UInt64, damage: inout [String]) -> [ImageNote] {
    var found: [ImageNote] = []
    var at = 0
    while at + 12 <= bytes.count, let nameSize = bytes.u32(at: at),
      let descriptionSize = bytes.u32(at: at + 4), let type = bytes.u32(at: at + 8)
    {
      let nameAt = at + 12
      let descriptionAt = nameAt + (Int(nameSize) + 3) & ~3
      let end = descriptionAt + Int(descriptionSize)
      guard nameSize < 256, end <= bytes.count else {
        damage.append("the note at \((offset + UInt64(at)).entry) runs past the end of the notes")
        break
      }
      if nameSize == 0, descriptionSize == 0 { break }
      let name = String(
        decoding: bytes[nameAt..<(nameAt + Int(nameSize))].prefix { $0 != 0 }, as: UTF8.self)
      found.append(
        ImageNote(
          name: name, type: type, bytes: Array(bytes[descriptionAt..<end]),
          offset: offset + UInt64(descriptionAt)))
      at = (end + 3) & ~3
    }
    // A note of a name that nobody writes is one whose name was changed.
    damage += found.filter { !writers.contains($0.name) }.map {
      "the note at \($0.offset.entry) has the unknown name \"\($0.name)\""
    }
    return found
  }
}
