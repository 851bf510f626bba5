internal import CElfutils
internal import PageTables

/// Memory images in ELF: QEMU's, /proc/vmcore's, makedumpfile -E's, and our own extracts.
enum ELFFormat {
  static func matches(_ file: MappedFile) -> Bool {
    file.bytes(at: 0, count: 4) == [0x7f, 0x45, 0x4c, 0x46]
  }

  static func read(_ file: MappedFile) throws(ImageError) -> SegmentImage {
    var damage: [String] = []
    guard elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE),
      let elf = unsafe elf_begin(file.descriptor, ELF_C_READ_MMAP, nil)
    else {
      throw ImageError(file.path, offset: 0, "not readable as ELF", advice: "take the dump again")
    }
    defer { _ = unsafe elf_end(elf) }
    var header = GElf_Ehdr()
    guard unsafe elf_kind(elf) == ELF_K_ELF, unsafe gelf_getehdr(elf, &header) != nil,
      [UInt16(EM_X86_64), UInt16(EM_386)].contains(header.e_machine),
      header.e_type == UInt16(ET_CORE)
    else {
      throw ImageError(
        file.path, offset: 0, "expected an ELF core of x86",
        advice: "give a memory image, not a program or a vmlinux")
    }
    let is32Bit = header.e_machine == UInt16(EM_386)
    var count = 0
    guard unsafe elf_getphdrnum(elf, &count) == 0, count > 0 else {
      throw ImageError(
        file.path, offset: 32, "no program headers where the ELF header says they are",
        advice: "the file is cut off or damaged: copy it again")
    }
    if header.e_flags & 1 != 0 {
      damage.append("makedumpfile marked the dump as incomplete (e_flags bit 0)")
    }
    var segments: [SegmentImage.Segment] = []
    var textOffset: UInt64?
    var notes: [ImageNote] = []
    let size = UInt64(file.size)
    for index in 0..<count {
      var program = GElf_Phdr()
      guard let number = Int32(exactly: index), unsafe gelf_getphdr(elf, number, &program) != nil
      else {
        damage.append("program header \(index) of \(count) cannot be read")
        break
      }
      let held = program.p_offset > size ? 0 : min(program.p_filesz, size - program.p_offset)
      if held < program.p_filesz {
        damage.append(
          "program header \(index): the file ends at \(size.entry), its data at "
            + "\((program.p_offset &+ program.p_filesz).entry)")
      }
      switch program.p_type {
      case UInt32(PT_NOTE):
        if program.p_memsz != 0, program.p_memsz != program.p_filesz {
          damage.append("program header \(index): the notes' two sizes differ")
        }
        notes += readNotes(file, at: program.p_offset, size: held, damage: &damage)
      case UInt32(PT_LOAD):
        // Without a physical address (kcore's vmalloc), or past its end, it is no memory to us.
        let memory = max(program.p_memsz, program.p_filesz)
        guard memory > 0, program.p_paddr != ~0 else { continue }
        guard program.p_paddr <= 1 << 52, memory <= 1 << 52 else {
          damage.append(
            "program header \(index): no physical memory lies at \(program.p_paddr.entry)")
          continue
        }
        if !is32Bit, textOffset == nil, program.p_vaddr >= Root.imageBase {
          textOffset = program.p_vaddr &- program.p_paddr
        }
        segments.append(
          SegmentImage.Segment(
            physical: program.p_paddr, size: memory, offset: program.p_offset, available: held))
      case 0: break
      default: damage.append("program header \(index): unexpected type \(program.p_type)")
      }
    }
    guard !segments.isEmpty else {
      throw ImageError(
        file.path, "no memory in it (no PT_LOAD with a physical address)",
        advice: "the file is damaged or no memory image: take the dump again")
    }
    // A note of a name that nobody writes is one whose name was changed.
    damage += notes.filter { !writers.contains($0.name) }.map {
      "the note at \($0.offset.entry) has the unknown name \"\($0.name)\""
    }
    return SegmentImage(
      file, format: "elf-core", segments: segments, notes: notes, damage: damage,
      is32Bit: is32Bit, textOffset: textOffset, extract: Extract.contents(notes, of: file))
  }

  /// Who writes notes: the kernel and its kdump, QEMU, makedumpfile, Xen, and our own extracts.
  private static let writers: Set<String> = [
    "CORE", "LINUX", "VMCOREINFO", "VMCOREDD", "QEMU", "ERASEINFO", "Xen", "XEN_ELFNOTE", "GNU",
    "VMCOREINFO_XEN", Extract.owner,
  ]

  private static func readNotes(
    _ file: MappedFile, at offset: UInt64, size: UInt64, damage: inout [String]
  ) -> [ImageNote] {
    // 64 MiB is far above any machine's notes, and bounds what a bad header can ask for.
    guard let count = Int(exactly: size), count <= 64 << 20,
      let bytes = file.bytes(at: offset, count: count)
    else {
      damage.append("the notes at \(offset.entry) cannot be read")
      return []
    }
    return notes(in: bytes, at: offset, damage: &damage)
  }

  /// The notes in `bytes`, which lie at `offset` of the file.
  static func notes(in bytes: [UInt8], at offset: UInt64, damage: inout [String]) -> [ImageNote] {
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
    return found
  }
}
