internal import CElfutils
internal import PageTables

/// Memory images in ELF: QEMU's, /proc/vmcore's, makedumpfile -E's, Xen's, and our own extracts.
package enum ELFFormat {
  package static func matches(_ file: MappedFile) -> Bool {
    file.bytes(at: 0, count: 4) == [0x7f, 0x45, 0x4c, 0x46]
  }

  static func read(_ file: MappedFile) throws(ImageError) -> SegmentImage {
    guard elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE),
      let elf = unsafe elf_begin(file.descriptor, ELF_C_READ_MMAP, nil)
    else {
      throw ImageError(file.path, offset: 0, "not readable as ELF", advice: "take the dump again")
    }
    defer { _ = unsafe elf_end(elf) }
    var header = GElf_Ehdr()
    let machine = try unsafe machine(of: elf, &header, path: file.path)
    var count = 0
    guard unsafe elf_getphdrnum(elf, &count) == 0, count > 0 else {
      let sections = unsafe XenCore.sections(of: elf)
      if sections[".xen_pages"] != nil {
        return try XenCore.read(file, sections, machine: machine)
      }
      throw ImageError(
        file.path, offset: 32, "no program headers where the ELF header says they are",
        advice: "the file is cut off or damaged: copy it again")
    }
    var contents = Contents(file: file)
    if header.e_flags & 1 != 0 {
      contents.damage.append("makedumpfile marked the dump as incomplete (e_flags bit 0)")
    }
    for index in 0..<count {
      var program = GElf_Phdr()
      guard let number = Int32(exactly: index), unsafe gelf_getphdr(elf, number, &program) != nil
      else {
        contents.damage.append("program header \(index) of \(count) cannot be read")
        break
      }
      contents.take(program, index: index)
    }
    contents.finishDamage()
    guard !contents.segments.isEmpty else {
      throw ImageError(
        file.path, "no memory in it (no PT_LOAD with a physical address)",
        advice: "the file is damaged or no memory image: take the dump again")
    }
    return SegmentImage(
      file, format: "elf-core", segments: contents.segments, notes: contents.notes,
      damage: contents.damage, machine: machine, placements: contents.placements)
  }

  /// The machine whose memory it is.
  private static func machine(
    of elf: OpaquePointer, _ header: inout GElf_Ehdr, path: String
  ) throws(ImageError) -> Machine {
    guard unsafe elf_kind(elf) == ELF_K_ELF, unsafe gelf_getehdr(elf, &header) != nil,
      header.e_type == UInt16(ET_CORE)
    else {
      throw ImageError(
        path, offset: 0, "expected an ELF core",
        advice: "give a memory image, not a program or a vmlinux")
    }
    guard let machine = Machine(rawValue: header.e_machine) else {
      throw ImageError(
        path, offset: 18, "an ELF core of an unknown machine (\(header.e_machine))",
        advice: "give a memory image of a Linux kernel")
    }
    guard machine.isRead else { throw machine.refusal(of: path, offset: 18) }
    return machine
  }

  /// What a file's program headers lead to.
  private struct Contents {
    let file: MappedFile
    var damage: [String]
    var segments: [SegmentImage.Segment] = []
    var placements: [Placement] = []
    var notes: [ImageNote] = []
    private var noteLimits = NoteLimits()
    private var damageLeftOut = 0
    /// How many headers name data beyond the file's end, and up to where.
    private var beyondEnd = (count: 0, last: UInt64(0))

    init(file: MappedFile) {
      self.file = file
      damage = file.damage
    }

    /// A file may have millions of program headers, each of them damaged.
    private static let mostDamage = 64

    private mutating func limitDamage() {
      guard damage.count > Self.mostDamage else { return }
      damageLeftOut += damage.count - Self.mostDamage
      damage.removeLast(damage.count - Self.mostDamage)
    }

    /// Says what the file's end cuts off, and how much of the damage was left out.
    mutating func finishDamage() {
      if beyondEnd.count > 0 {
        damage.append(
          "the file ends at \(UInt64(file.size).entry), and its headers name data up to "
            + "\(beyondEnd.last.entry): segments cut off: \(beyondEnd.count)")
      }
      guard damageLeftOut > 0 else { return }
      damage.append("\(damageLeftOut) more of the file's headers and notes are damaged")
    }

    mutating func take(_ program: GElf_Phdr, index: Int) {
      // What has no physical address (kcore's vmalloc) is no memory to us, whether it is held or not.
      let isElsewhere = program.p_type == UInt32(PT_LOAD) && program.p_paddr == ~0
      guard program.p_type != UInt32(PT_NULL), !isElsewhere else { return }
      defer { limitDamage() }
      let size = UInt64(file.size)
      let held = program.p_offset > size ? 0 : min(program.p_filesz, size - program.p_offset)
      if held < program.p_filesz {
        beyondEnd.count += 1
        beyondEnd.last = max(beyondEnd.last, program.p_offset &+ program.p_filesz)
      }
      switch program.p_type {
      case UInt32(PT_NOTE):
        if program.p_memsz != 0, program.p_memsz != program.p_filesz {
          damage.append("program header \(index): the notes' two sizes differ")
        }
        notes += ImageNote.read(
          file, at: program.p_offset, size: held, within: &noteLimits, damage: &damage)
      case UInt32(PT_LOAD):
        let memory = max(program.p_memsz, program.p_filesz)
        guard memory > 0 else { return }
        guard program.p_paddr <= 1 << 52, memory <= 1 << 52 else {
          damage.append(
            "program header \(index): no physical memory lies at \(program.p_paddr.entry)")
          return
        }
        placements.append(Placement(virtual: program.p_vaddr, physical: program.p_paddr))
        segments.append(
          SegmentImage.Segment(
            physical: program.p_paddr, size: memory, offset: program.p_offset, available: held))
      default: damage.append("program header \(index): unexpected type \(program.p_type)")
      }
    }
  }
}
