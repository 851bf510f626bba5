internal import MemoryImages
internal import PageTables

/// A small image of page tables and what they need: an ELF core with a note of its own.
///
/// The note `PTDUMPLINT` type 1 holds a checksum of the whole file (8 bytes, counted as zero
/// while summing), type 2 `NAME=0x…` lines with variables' values, type 3 the kernel log, type 4
/// `0xFIRST-0xLAST` lines: where the machine had memory, type 5 `0xSTART MAXLINES NAME` lines: the
/// kernel's address markers, type 6 the text of /proc/iomem.
package enum Extract {
  static let owner = "PTDUMPLINT"

  private enum NoteType: UInt32 {
    case checksum = 1
    case values = 2
    case log = 3
    case memory = 4
    case markers = 5
    case resources = 6
  }

  /// What an extract's own notes say.
  package struct Contents: Sendable {
    var values: [String: UInt64] = [:]
    var log: String?
    var markers: [AddressMarker]?
    var resources: [Resource]?
    /// Where the image that it was made from had memory; nil where no note tells.
    var memory: [ClosedRange<UInt64>]?
    var problems: [String] = []
  }

  /// Reads the notes of an extract; nil for an image that is none.
  static func contents(of image: any MemoryImage) -> Contents? {
    let notes = image.notes.filter { $0.name == owner }
    guard !notes.isEmpty else { return nil }
    var contents = Contents()
    for note in notes {
      switch NoteType(rawValue: note.type) {
      case .checksum:
        guard let stored = note.bytes.u64(at: 0), let at = Int(exactly: note.offset) else { break }
        if image.checksum(zeroing: at) != stored {
          contents.problems.append("the file differs from its checksum: it is cut off or damaged")
        }
      case .values:
        for line in note.bytes.split(separator: 10) {
          let parts = line.split(separator: 0x3d)
          guard parts.count == 2 else { continue }
          contents.values[String(decoding: parts[0], as: UTF8.self)] =
            UInt64(hexText: String(decoding: parts[1], as: UTF8.self))
        }
      case .log: contents.log = String(decoding: note.bytes, as: UTF8.self)
      case .resources:
        contents.resources = Resource.parse(String(decoding: note.bytes, as: UTF8.self))
      case .markers:
        contents.markers = String(decoding: note.bytes, as: UTF8.self).split(separator: "\n")
          .compactMap { line in
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count == 3, let start = UInt64(hexText: parts[0]), let lines = Int(parts[1])
            else { return nil }
            return AddressMarker(start: start, name: String(parts[2]), maxLines: lines)
          }
      case .memory:
        contents.memory = note.bytes.split(separator: 10).compactMap { line in
          let ends = line.split(separator: 0x2d).compactMap {
            UInt64(hexText: String(decoding: $0, as: UTF8.self))
          }
          return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
        }
      case nil: break
      }
    }
    if !notes.contains(where: { $0.type == NoteType.checksum.rawValue }) {
      contents.problems.append("the extract has no checksum: it is damaged")
    }
    return contents
  }

  /// The bytes of an extract of `image`.
  ///
  /// - Parameter keepLog: whether the kernel log goes in.
  package static func make(_ image: KernelImage, keepLog: Bool) -> [UInt8] {
    let recorder = TableRecorder(image.memory)
    var roots = image.roots.map(\.address)
    if let efi = image.efiRoot { roots.append(efi) }
    let isolated = image.facts.pti?.value == true
    for cpu in image.cpus {
      let root = cpu.cr3 & ~(image.mode.rootAlignment - 1) & 0x000f_ffff_ffff_ffff
      roots += isolated ? [root & ~0x1000, root | 0x1000] : [root]
    }
    for root in roots {
      _ = Walker.walk(root: root, mode: image.mode, memory: recorder, inParallel: false)
    }
    var pages = recorder.pages
    let reader = VirtualReader(mode: image.mode, root: image.root, memory: image.memory)
    for (start, count) in image.info.flatMap({ Kallsyms.tables($0, reader) }) ?? [] {
      var at = start & ~4095
      while at < start &+ UInt64(count) {
        if let physical = image.walk(at).physical { pages.insert(physical & ~4095) }
        at &+= 4096
      }
    }
    let values = Variable.names.compactMap { name in
      image.values[name].map { "\(name)=\($0.entry)\n" }
    }.joined()
    var core = ELFCore()
    core.machine = image.memory.machine ?? .x86_64
    func add(_ type: NoteType, _ bytes: [UInt8]) {
      core.notes.append(ELFCore.Note(name: owner, type: type.rawValue, bytes: bytes))
    }
    add(.checksum, [UInt8](repeating: 0, count: 8))
    for note in image.memory.notes {
      var bytes = note.bytes
      switch note.name {
      case "VMCOREINFO": break
      case "QEMU":
        // Control registers only: the others may hold a program's data.
        for index in bytes.indices where index >= 8 && !(392..<432).contains(index) {
          bytes[index] = 0
        }
      default: continue
      }
      core.notes.append(ELFCore.Note(name: note.name, type: note.type, bytes: bytes))
    }
    if let info = image.info, !core.notes.contains(where: { $0.name == "VMCOREINFO" }) {
      // Found in memory, which an extract leaves out.
      let bytes = Array(info.bytes.prefix { $0 != 0 })
      core.notes.append(ELFCore.Note(name: "VMCOREINFO", bytes: bytes))
    }
    add(.values, Array(values.utf8))
    // Of an extract without the note nothing is known; the next one knows no more.
    let map =
      image.extract.map(\.memory)
      ?? (image.memory.tellsAllMemory ? image.memory.ranges : nil)
    if let map {
      let lines = map.map { "\($0.lowerBound.entry)-\($0.upperBound.entry)\n" }.joined()
      add(.memory, Array(lines.utf8))
    }
    if let markers = image.markers?.value {
      let lines = markers.map { "\($0.start.entry) \($0.maxLines) \($0.name)\n" }.joined()
      add(.markers, Array(lines.utf8))
    }
    if let resources = image.resources?.value {
      add(.resources, Array(Resource.text(resources).utf8))
    }
    if keepLog, let log = image.log { add(.log, Array(log.value.utf8)) }
    for page in pages.sorted() {
      // A page that the image lacks is left out here too: unknown, not zero.
      if let bytes = try? image.memory.read(at: page, count: 4096) {
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
}

/// Passes tables on and remembers which were read.
private final class TableRecorder: PhysicalMemory, @unchecked Sendable {
  private let memory: any MemoryImage
  // Only one walk at a time goes through a recorder.
  private(set) var pages: Set<UInt64> = []

  init(_ memory: any MemoryImage) { self.memory = memory }

  func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
    try memory.readTable(at: address, into: &table)
    // The four top entries of PAE may lie anywhere in a page.
    pages.insert(address & ~4095)
  }
}
