internal import CElfutils
package import PageTables

/// A memory image in ELF: QEMU's, /proc/vmcore's, makedumpfile -E's, or our own extract.
package final class ELFImage: PhysicalMemory, Sendable {
  /// A stretch of physical memory and where the file holds it.
  package struct Segment: Sendable, Equatable {
    package let physical: UInt64
    package let virtual: UInt64
    package let size: UInt64
    package let offset: UInt64
    /// What the file really holds of `fileSize`, in bytes; less where it was cut off.
    package let available: UInt64
    package let fileSize: UInt64
  }

  package struct Note: Sendable, Equatable {
    package let name: String
    package let type: UInt32
    package let bytes: [UInt8]
    package let offset: UInt64
  }

  package let file: MappedFile
  /// In order of physical address, without overlap.
  package let segments: [Segment]
  package let notes: [Note]
  /// Whether the machine was a 32-bit one.
  let is32Bit: Bool
  /// The kernel's text as /proc/vmcore lists it a second time, by its own address.
  let textLoad: Segment?
  /// Where the machine had memory, as an extract tells it; nil where it does not.
  let memoryMap: [ClosedRange<UInt64>]?
  /// What the file lacks or contradicts: one line each.
  package let damage: [String]
  package var path: String { file.path }
  /// Whether this is one of our own extracts, which hold tables and little else.
  var isExtract: Bool { notes.contains { $0.name == Extract.owner } }

  package static func matches(_ file: MappedFile) -> Bool {
    file.bytes(at: 0, count: 4) == [0x7f, 0x45, 0x4c, 0x46]
  }

  package init(_ file: MappedFile) throws(ImageError) {
    self.file = file
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
    is32Bit = header.e_machine == UInt16(EM_386)
    var count = 0
    guard unsafe elf_getphdrnum(elf, &count) == 0, count > 0 else {
      throw ImageError(
        file.path, offset: 32, "no program headers where the ELF header says they are",
        advice: "the file is cut off or damaged: copy it again")
    }
    if header.e_flags & 1 != 0 {
      damage.append("makedumpfile marked the dump as incomplete (e_flags bit 0)")
    }
    var segments: [Segment] = []
    var notes: [Note] = []
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
        notes += Self.notes(file, at: program.p_offset, size: held, damage: &damage)
      case UInt32(PT_LOAD):
        // Without a physical address (kcore's vmalloc), or past its end, it is no memory to us.
        let memory = max(program.p_memsz, program.p_filesz)
        guard memory > 0, program.p_paddr != ~0 else { continue }
        guard program.p_paddr <= 1 << 52, memory <= 1 << 52 else {
          damage.append(
            "program header \(index): no physical memory lies at \(program.p_paddr.entry)")
          continue
        }
        segments.append(
          Segment(
            physical: program.p_paddr, virtual: program.p_vaddr, size: memory,
            offset: program.p_offset, available: held, fileSize: program.p_filesz))
      case 0: break
      default: damage.append("program header \(index): unexpected type \(program.p_type)")
      }
    }
    guard !segments.isEmpty else {
      throw ImageError(
        file.path, "no memory in it (no PT_LOAD with a physical address)",
        advice: "the file is damaged or no memory image: take the dump again")
    }
    textLoad = is32Bit ? nil : segments.first { $0.virtual >= Root.imageBase }
    segments.sort { ($0.physical, $0.size) < ($1.physical, $1.size) }
    var disjoint: [Segment] = []
    for segment in segments {
      // /proc/vmcore lists the kernel's text twice: by its own address and in RAM.
      if let last = disjoint.last, segment.physical < last.physical + last.size {
        if segment.physical + segment.size <= last.physical + last.size { continue }
        if last.physical >= segment.physical { disjoint.removeLast() }
      }
      disjoint.append(segment)
    }
    self.segments = disjoint
    self.notes = notes
    memoryMap = Extract.memoryMap(notes)
    // A note of a name that nobody writes is one whose name was changed.
    damage += notes.filter { !Self.writers.contains($0.name) }.map {
      "the note at \($0.offset.entry) has the unknown name \"\($0.name)\""
    }
    self.damage = damage
  }

  /// Who writes notes: the kernel and its kdump, QEMU, makedumpfile, Xen, and our own extracts.
  private static let writers: Set<String> = [
    "CORE", "LINUX", "VMCOREINFO", "VMCOREDD", "QEMU", "ERASEINFO", "Xen", "XEN_ELFNOTE", "GNU",
    "VMCOREINFO_XEN", Extract.owner,
  ]

  private static func notes(
    _ file: MappedFile, at offset: UInt64, size: UInt64, damage: inout [String]
  ) -> [Note] {
    // 64 MiB is far above any machine's notes, and bounds what a bad header can ask for.
    guard let count = Int(exactly: size), count <= 64 << 20,
      let bytes = file.bytes(at: offset, count: count)
    else {
      damage.append("the notes at \(offset.entry) cannot be read")
      return []
    }
    var found: [Note] = []
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
        Note(
          name: name, type: type, bytes: Array(bytes[descriptionAt..<end]),
          offset: offset + UInt64(descriptionAt)))
      at = (end + 3) & ~3
    }
    return found
  }

  /// The segment that holds `address`.
  package func segment(of address: UInt64) -> Segment? {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].physical + segments[middle].size <= address {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < segments.count, segments[low].physical <= address else { return nil }
    return segments[low]
  }

  private func fileOffset(of address: UInt64, count: UInt64) throws(UnreadableMemory) -> UInt64 {
    guard let segment = segment(of: address) else {
      // An extract holds little of the memory that there was.
      let wasThere = memoryMap?.contains { $0.contains(address) } ?? true
      throw isExtract && wasThere ? .notInImage : .outsideMemory
    }
    let offset = address - segment.physical
    guard offset <= segment.available, count <= segment.available - offset else {
      throw .notInImage
    }
    return segment.offset + offset
  }

  package func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    let offset = try fileOffset(of: address, count: UInt64(table.count) * 8)
    guard file.copyWords(at: offset, into: &table) else { throw .notInImage }
  }

  /// Copies physical memory that lies in one segment.
  package func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
    let offset = try fileOffset(of: address, count: UInt64(count))
    guard let bytes = file.bytes(at: offset, count: count) else { throw .notInImage }
    return bytes
  }

  /// Visits every page that the image holds, with a look at its first bytes.
  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    file.withBytes { bytes in
      for segment in segments {
        var offset: UInt64 = 0
        while offset < segment.available {
          let at = Int(segment.offset + offset)
          body(segment.physical + offset) { wanted in
            guard wanted.count <= bytes.count - at else { return false }
            for index in wanted.indices where bytes[at + index] != wanted[index] { return false }
            return true
          }
          offset += 4096
        }
      }
    }
  }
}
