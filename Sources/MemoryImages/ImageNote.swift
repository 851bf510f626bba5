internal import PageTables

/// A note of an image: who wrote it, its type, and what it says.
package struct ImageNote: Sendable, Equatable {
  package let name: String
  package let type: UInt32
  package let bytes: [UInt8]
  /// Where its content lies in the file.
  package let offset: UInt64

  package init(name: String, type: UInt32, bytes: [UInt8], offset: UInt64) {
    self.name = name
    self.type = type
    self.bytes = bytes
    self.offset = offset
  }

  /// Who writes notes: the kernel and its kdump, QEMU, makedumpfile, Xen, and our own extracts, which
  /// have the registers of `xl dump-core` as a note, too.
  private static let writers: Set<String> = [
    "CORE", "LINUX", "VMCOREINFO", "VMCOREDD", "QEMU", "ERASEINFO", "Xen", "XEN_ELFNOTE", "GNU",
    "VMCOREINFO_XEN", "PTDUMPLINT", XenCore.registersNote,
  ]

  /// Reads a block of ELF notes.
  static func read(
    _ file: MappedFile, at offset: UInt64, size: UInt64, within limits: inout NoteLimits,
    damage: inout [String]
  ) -> [ImageNote] {
    guard let count = Int(exactly: size), count <= limits.bytesLeft,
      let bytes = file.bytes(at: offset, count: count)
    else {
      damage.append("the notes at \(offset.entry) cannot be read")
      return []
    }
    limits.bytesLeft -= count
    return read(bytes, at: offset, within: &limits, damage: &damage)
  }

  /// Reads the ELF notes in `bytes`, which lie at `offset` of the file.
  static func read(
    _ bytes: [UInt8], at offset: UInt64, within limits: inout NoteLimits, damage: inout [String]
  ) -> [ImageNote] {
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
      guard limits.notesLeft > 0 else {
        damage.append(
          "more notes than any machine has: those from \((offset + UInt64(at)).entry) on were not read"
        )
        break
      }
      limits.notesLeft -= 1
      let name = String(
        decoding: bytes[nameAt..<(nameAt + Int(nameSize))].prefix { $0 != 0 }, as: UTF8.self)
      found.append(
        ImageNote(
          name: name, type: type, bytes: Array(bytes[descriptionAt..<end]),
          offset: offset + UInt64(descriptionAt)))
      at = (end + 3) & ~3
    }
    // A note of a name that nobody writes is one whose name was changed.
    let unknown = found.filter { !writers.contains($0.name) }
    damage += unknown.prefix(shown).map {
      "the note at \($0.offset.entry) has the unknown name \"\($0.name)\""
    }
    if unknown.count > shown {
      damage.append("\(unknown.count - shown) more notes have unknown names")
    }
    return found
  }

  /// How many notes of unknown names are named.
  private static let shown = 16
}

/// What all notes of an image together may take.
struct NoteLimits {
  /// 64 MiB is far above any machine's notes.
  var bytesLeft = 64 << 20
  /// Each processor has some notes; Linux has 8192 processors at most.
  var notesLeft = 1 << 16
}
