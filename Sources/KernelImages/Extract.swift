internal import MemoryImages
internal import PageTables

/// A small image of page tables and what they need: an ELF core with a note of its own.
///
/// The note `PTDUMPLINT` type 1 holds a checksum of the whole file (8 bytes, counted as zero
/// while summing), type 2 `NAME=0x…` lines with variables' values, type 3 the kernel log, type 4
/// `0xFIRST-0xLAST` lines: where the machine had memory, type 5 `0xSTART MAXLINES NAME` lines: the
/// kernel's address markers, type 6 the text of /proc/iomem, type 7 the machine's address of the root
/// of a Xen PV guest, whose pages lie at the machine's addresses, type 8 `0xSTART 0xPHYSICAL 0xSIZE`
/// lines: the pages of vmalloc's areas, type 9 `0xFIRST-0xLAST NAME` lines: the code of modules, type
/// 10 `0xOWN 0xMACHINE 0xCOUNT` lines: a Xen PV guest's frames, as the image itself listed them.
package enum Extract {
  static let owner = "PTDUMPLINT"

  enum NoteType: UInt32 {
    case checksum = 1
    case values = 2
    case log = 3
    case memory = 4
    case markers = 5
    case resources = 6
    case xen = 7
    case vmallocPages = 8
    case moduleTexts = 9
    case ownFrames = 10
  }

  /// What an extract's own notes say.
  package struct Contents: Sendable {
    var values: [String: UInt64] = [:]
    var log: String?
    var markers: [AddressMarker]?
    var resources: [Resource]?
    var vmallocPages: VmallocPages?
    var moduleTexts: [ModuleText]?
    /// Where the image that it was made from had memory; nil where no note tells.
    var memory: [ClosedRange<UInt64>]?
    /// The machine's address of a Xen PV guest's root.
    var xenRoot: UInt64?
    var ownFrames: [OwnFrames] = []
    var problems: [String] = []
  }

  /// Reads the notes of an extract; nil for an image that is none.
  static func contents(of image: any MemoryImage) -> Contents? {
    let notes = image.notes.filter { $0.name == owner }
    guard !notes.isEmpty else { return nil }
    var contents = Contents()
    for note in notes { contents.take(note) }
    let sums = notes.filter { $0.type == NoteType.checksum.rawValue }
    switch sums.count {
    case 0: contents.problems.append("the extract has no checksum: it is damaged")
    case 1:
      guard let stored = sums[0].bytes.u64(at: 0), let at = Int(exactly: sums[0].offset),
        image.checksum(zeroing: at) == stored
      else {
        contents.problems.append(
          "the file differs from its checksum: it is cut off or damaged")
        break
      }
    default:
      contents.problems.append("the extract has \(sums.count) checksums: it is damaged")
    }
    return contents
  }
}

extension Extract.Contents {
  fileprivate mutating func take(_ note: ImageNote) {
    let text = { String(decoding: note.bytes, as: UTF8.self) }
    switch Extract.NoteType(rawValue: note.type) {
    case .checksum: break
    case .values:
      for line in note.bytes.split(separator: 10) {
        let parts = line.split(separator: 0x3d)
        guard parts.count == 2 else { continue }
        values[String(decoding: parts[0], as: UTF8.self)] =
          UInt64(hexText: String(decoding: parts[1], as: UTF8.self))
      }
    case .log: log = text()
    case .resources: resources = Resource.parse(text())
    case .markers: markers = text().split(separator: "\n").compactMap(Self.marker)
    case .xen: xenRoot = UInt64(hexText: text())
    case .vmallocPages:
      vmallocPages = VmallocPages(pieces: note.bytes.split(separator: 10).compactMap(Self.piece))
    case .ownFrames:
      ownFrames = note.bytes.split(separator: 10).compactMap(Self.frames)
    case .moduleTexts: moduleTexts = text().split(separator: "\n").compactMap(Self.moduleText)
    case .memory: memory = note.bytes.split(separator: 10).compactMap(Self.range)
    case nil: break
    }
  }

  private static func marker(_ line: Substring) -> AddressMarker? {
    let parts = line.split(separator: " ", maxSplits: 2)
    guard parts.count == 3, let start = UInt64(hexText: parts[0]), let lines = Int(parts[1])
    else { return nil }
    return AddressMarker(start: start, name: String(parts[2]), maxLines: lines)
  }

  private static func piece(_ line: ArraySlice<UInt8>) -> VmallocPages.Piece? {
    stretch(line).map { VmallocPages.Piece(start: $0, physical: $1, size: $2) }
  }

  private static func frames(_ line: ArraySlice<UInt8>) -> OwnFrames? {
    guard let (own, machine, count) = stretch(line), max(own, machine, count) < 1 << 40 else {
      return nil
    }
    return OwnFrames(own: own, machine: machine, count: count)
  }

  /// Two numbers of what follows each other, and how much of it.
  private static func stretch(_ line: ArraySlice<UInt8>) -> (UInt64, UInt64, UInt64)? {
    let parts = line.split(separator: 0x20).compactMap {
      UInt64(hexText: String(decoding: $0, as: UTF8.self))
    }
    guard parts.count == 3, parts[2] > 0, parts[0] <= .max - parts[2],
      parts[1] <= .max - parts[2]
    else { return nil }
    return (parts[0], parts[1], parts[2])
  }

  private static func moduleText(_ line: Substring) -> ModuleText? {
    let parts = line.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, let range = range(Array(parts[0].utf8)[...]) else { return nil }
    return ModuleText(name: String(parts[1]).quotable(most: 56), range: range)
  }

  private static func range(_ line: ArraySlice<UInt8>) -> ClosedRange<UInt64>? {
    let ends = line.split(separator: 0x2d).compactMap {
      UInt64(hexText: String(decoding: $0, as: UTF8.self))
    }
    return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
  }
}
