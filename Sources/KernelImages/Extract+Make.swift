internal import MemoryImages
internal import PageTables

extension Extract {
  /// The bytes of an extract of `image`.
  ///
  /// - Parameter keepLog: whether the kernel log goes in.
  package static func make(_ image: KernelImage, keepLog: Bool) -> [UInt8] {
    var core = ELFCore()
    core.machine = image.memory.machine ?? image.architecture.machine
    core.notes = [note(.checksum, [UInt8](repeating: 0, count: 8))]
    core.notes += keptNotes(of: image) + ownNotes(of: image, keepLog: keepLog)
    // A Xen guest's pages lie where the machine has them.
    let memory = image.guest?.memory.host ?? image.memory
    for page in storedPages(of: image).sorted() {
      // A page that the image lacks is left out here too: unknown, not zero.
      if let bytes = try? memory.read(at: page, count: Int(image.mode.granule)) {
        core.add(page: bytes, at: page)
      }
    }
    var file = core.encoded()
    var sum = Checksum()
    sum.add(file)
    let at = core.offset(ofNote: 0)
    for index in 0..<8 {
      file[at + index] = UInt8(truncatingIfNeeded: sum.value >> UInt64(8 * index))
    }
    return file
  }

  private static func note(_ type: NoteType, _ bytes: [UInt8]) -> ELFCore.Note {
    ELFCore.Note(name: owner, type: type.rawValue, bytes: bytes)
  }

  /// What goes in, by the addresses that it has in the file.
  private static func storedPages(of image: KernelImage) -> Set<UInt64> {
    let pages = pages(of: image)
    guard let guest = image.guest, let root = guest.memory.machineAddress(of: image.root) else {
      return pages
    }
    return Set(pages.compactMap(guest.memory.machineAddress)).union(guest.listPages(through: root))
  }

  /// The pages of all tables, and of the kernel's own symbol table.
  private static func pages(of image: KernelImage) -> Set<UInt64> {
    let granule = image.mode.granule
    let recorder = TableRecorder(image.memory, granule: granule)
    for root in Set(image.tableRoots) {
      _ = Walker.walk(
        root: root, mode: image.mode(ofRoot: root), memory: recorder, inParallel: false,
        budget: RunBudget(bytes: .max, held: image.memory.heldBytes))
    }
    var pages = recorder.pages
    let reader = VirtualReader(mode: image.mode, root: image.root, memory: image.memory)
    for (start, count) in Kallsyms.find(image.info, reader)?.places(reader) ?? [] {
      var at = start & ~(granule - 1)
      while at < start &+ UInt64(count) {
        if let physical = image.walk(at).physical { pages.insert(physical & ~(granule - 1)) }
        at &+= granule
      }
    }
    return pages
  }

  /// The image's notes that may go in: VMCOREINFO, Xen's of itself, and the registers that name tables.
  private static func keptNotes(of image: KernelImage) -> [ELFCore.Note] {
    var notes: [ELFCore.Note] = []
    for note in image.memory.notes {
      var bytes = note.bytes
      if let kept = image.architecture.keptRegisters(in: note) {
        // The other registers may hold a program's data.
        bytes = [UInt8](repeating: 0, count: bytes.count)
        for range in kept.map({ $0.clamped(to: bytes.indices) }) {
          bytes.replaceSubrange(range, with: note.bytes[range])
        }
      } else if !["VMCOREINFO", "Xen"].contains(note.name) {
        continue
      }
      notes.append(ELFCore.Note(name: note.name, type: note.type, bytes: bytes))
    }
    if let info = image.info, !notes.contains(where: { $0.name == "VMCOREINFO" }) {
      // Found in memory, which an extract leaves out.
      let bytes = Array(info.bytes.prefix { $0 != 0 })
      notes.append(ELFCore.Note(name: "VMCOREINFO", bytes: bytes))
    }
    return notes
  }

  /// What is known of the image, as an extract's own notes.
  private static func ownNotes(of image: KernelImage, keepLog: Bool) -> [ELFCore.Note] {
    let values = image.architecture.variables.compactMap { name in
      image.values[name].map { "\(name)=\($0.entry)\n" }
    }.joined()
    var notes = [note(.values, Array(values.utf8))]
    let stored = image.guest?.memory.host ?? image.memory
    if image.guest != nil, let root = image.guest?.memory.machineAddress(of: image.root) {
      notes.append(note(.xen, Array(root.entry.utf8)))
    }
    if !stored.ownFrames.isEmpty, let frames = image.guest?.memory.frames {
      let lines = frames.stretches.map {
        "\($0.own.entry) \($0.machine.entry) \($0.count.entry)\n"
      }.joined()
      notes.append(note(.ownFrames, Array(lines.utf8)))
    }
    // Of an extract without the note nothing is known; the next one knows no more.
    let map =
      image.extract.map(\.memory)
      ?? (stored.tellsAllMemory ? stored.ranges : nil)
    if let map {
      let lines = map.map { "\($0.lowerBound.entry)-\($0.upperBound.entry)\n" }.joined()
      notes.append(note(.memory, Array(lines.utf8)))
    }
    if let markers = image.markers?.value {
      let lines = markers.map { "\($0.start.entry) \($0.maxLines) \($0.name)\n" }.joined()
      notes.append(note(.markers, Array(lines.utf8)))
    }
    if let resources = image.resources?.value {
      notes.append(note(.resources, Array(Resource.text(resources).utf8)))
    }
    if let pages = image.vmallocPages() {
      let lines = pages.pieces.map {
        "\($0.start.entry) \($0.physical.entry) \($0.size.entry)\n"
      }.joined()
      notes.append(note(.vmallocPages, Array(lines.utf8)))
    }
    if let texts = image.moduleTexts() {
      let lines = texts.map {
        "\($0.range.lowerBound.entry)-\($0.range.upperBound.entry) \($0.name)\n"
      }.joined()
      notes.append(note(.moduleTexts, Array(lines.utf8)))
    }
    if keepLog, let log = image.log { notes.append(note(.log, Array(log.value.utf8))) }
    return notes
  }
}

extension KernelImage {
  /// Every root that the image tells: those that are judged, EFI's, and the processors', or, where
  /// those are not told and each half has its own, the first process's.
  fileprivate var tableRoots: [UInt64] {
    var found = roots.map(\.address) + [efiRoot].compactMap { $0 }
    if cpus.isEmpty, !mode.hasOneRoot {
      // An empty twin tells that there is no isolation.
      found.append(architecture.userTwin(of: root, mode))
      if let first = try? processes(nil).first { found.append(first.root) }
    }
    let isIsolated = facts.pti?.value == true
    for cpu in cpus {
      // As the register has it, then the kernel's half.
      let own = architecture.roots(of: cpu, mode).map(\.address)
      guard isIsolated, let kernelHalf = own.last else {
        found += own.prefix(1)
        continue
      }
      found += [kernelHalf, architecture.userTwin(of: kernelHalf, mode)]
    }
    return found
  }
}

/// Passes tables on and remembers which were read.
private final class TableRecorder: PhysicalMemory, @unchecked Sendable {
  private let memory: any MemoryImage
  // Only one walk at a time goes through a recorder.
  private(set) var pages: Set<UInt64> = []

  private let granule: UInt64

  init(_ memory: any MemoryImage, granule: UInt64) {
    self.memory = memory
    self.granule = granule
  }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    try memory.readTable(at: address, into: &table)
    // A short table may lie anywhere in a page, and a long one has several.
    let last = address &+ UInt64(max(1, table.count) * 8 - 1)
    for page in stride(from: address & ~(granule - 1), through: last, by: Int(granule)) {
      pages.insert(page)
    }
  }
}
