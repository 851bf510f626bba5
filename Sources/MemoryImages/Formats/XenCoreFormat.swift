internal import CElfutils
internal import PageTables

/// What `xl dump-core` writes of one of Xen's guests.
///
/// An ELF core without program headers: its sections have the guest's pages, back to back, and
/// whose they are. Source: docs/misc/dump-core-format.txt and tools/include/xenctrl.h, Xen 4.17.
package enum XenCore {
  /// The name under which the processors' registers stand among the image's notes: the section's.
  package static let registersNote = ".xen_prstatus"

  private static let pageSize: UInt64 = 4096
  private static let headerNote: UInt32 = 0x200_0001
  /// The number of a page that is none: `XC_CORE_INVALID_PFN`.
  private static let filler = UInt64.max

  /// The sections of an ELF file, by their names.
  static func sections(of elf: OpaquePointer) -> [String: GElf_Shdr] {
    var names = 0
    guard unsafe elf_getshdrstrndx(elf, &names) == 0 else { return [:] }
    var found: [String: GElf_Shdr] = [:]
    var section: OpaquePointer? = unsafe elf_nextscn(elf, nil)
    while let current = unsafe section, found.count < 64 {
      var header = GElf_Shdr()
      if unsafe gelf_getshdr(current, &header) != nil,
        let name = unsafe elf_strptr(elf, names, Int(header.sh_name))
      {
        found[unsafe String(cString: name)] = header
      }
      unsafe section = elf_nextscn(elf, current)
    }
    return found
  }

  /// Reads a file that has the section `.xen_pages`.
  static func read(
    _ file: MappedFile, _ sections: [String: GElf_Shdr], machine: Machine
  ) throws(ImageError) -> SegmentImage {
    var damage = file.damage
    var limits = NoteLimits()
    var notes =
      sections[".note.Xen"].map {
        ImageNote.read(
          file, at: $0.sh_offset, size: $0.sh_size, within: &limits, damage: &damage)
      } ?? []
    if let registers = sections[registersNote],
      let bytes = bytes(of: registers, file, most: 4096 * 5168)
    {
      notes.append(
        ImageNote(name: registersNote, type: 0, bytes: bytes, offset: registers.sh_offset))
    }
    guard let pages = sections[".xen_pages"],
      let (frames, isGuests) = try frames(file, sections, &damage)
    else {
      throw ImageError(
        file.path, "a Xen guest's dump without a list of its pages (.xen_p2m or .xen_pfn)",
        advice: "the file is cut off or damaged: take the dump again with xl dump-core")
    }
    let counted = notes.first { $0.name == "Xen" && $0.type == headerNote }?.bytes.u64(at: 16)
    if let counted, counted != UInt64(frames.count) {
      damage.append("the header counts \(counted) pages, the list \(frames.count)")
    }
    let end = UInt64(file.size)
    if pages.sh_offset > end || pages.sh_size > end - min(end, pages.sh_offset)
      || pages.sh_size / pageSize < UInt64(frames.count)
    {
      damage.append("the file holds fewer pages than its list names")
    }
    return SegmentImage(
      file, format: "xen-core",
      segments: segments(frames, at: pages.sh_offset, size: pages.sh_size, end: end), notes: notes,
      damage: damage, machine: machine, tellsAllMemory: true,
      ownFrames: isGuests ? frames.filter { $0.machine != .max } : [])
  }

  /// The pages in the order of the file, and whether the machine's numbers of them are told, too.
  private static func frames(
    _ file: MappedFile, _ sections: [String: GElf_Shdr], _ damage: inout [String]
  ) throws(ImageError) -> (frames: [OwnFrames], isPV: Bool)? {
    let isPV = sections[".xen_p2m"] != nil
    guard let section = sections[".xen_p2m"] ?? sections[".xen_pfn"] else { return nil }
    let size = isPV ? 16 : 8
    guard let bytes = bytes(of: section, file, most: file.size) else { return nil }
    var frames: [OwnFrames] = []
    frames.reserveCapacity(bytes.count / size)
    var wrong = 0
    for at in stride(from: 0, through: bytes.count - size, by: size) {
      guard let own = bytes.u64(at: at), let machine = isPV ? bytes.u64(at: at + 8) : own,
        own < 1 << 40, machine < 1 << 40
      else {
        // What the guest has beyond its memory map is not dumped: such pages fill the file up.
        if bytes.u64(at: at) != filler { wrong += 1 }
        // The page keeps its place in the file.
        frames.append(OwnFrames(own: .max, machine: .max))
        continue
      }
      frames.append(OwnFrames(own: own, machine: machine))
    }
    if wrong > 0 { damage.append("\(wrong) pages of the list have numbers that no frame has") }
    return frames.isEmpty ? nil : (frames, isPV)
  }

  private static func bytes(of section: GElf_Shdr, _ file: MappedFile, most: Int) -> [UInt8]? {
    guard let count = Int(exactly: section.sh_size), count <= most else { return nil }
    return file.bytes(at: section.sh_offset, count: count)
  }

  /// Pages that follow each other in the file and in memory are one segment.
  private static func segments(
    _ frames: [OwnFrames], at offset: UInt64, size: UInt64, end: UInt64
  ) -> [SegmentImage.Segment] {
    let held = offset > end ? 0 : min(size, end - offset)
    var found: [SegmentImage.Segment] = []
    var first = 0
    while first < frames.count {
      var next = first + 1
      while next < frames.count,
        frames[next].machine == frames[first].machine &+ UInt64(next - first)
      {
        next += 1
      }
      defer { first = next }
      guard frames[first].machine != .max else { continue }
      let (start, count) = (UInt64(first) * pageSize, UInt64(next - first) * pageSize)
      found.append(
        SegmentImage.Segment(
          physical: frames[first].machine * pageSize, size: count, offset: offset &+ start,
          available: start >= held ? 0 : min(count, held - start)))
    }
    return found
  }
}
