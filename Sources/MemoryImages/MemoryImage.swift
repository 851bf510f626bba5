internal import Glibc
package import PageTables

/// A machine's memory as a file holds it, whatever the format.
package protocol MemoryImage: PhysicalMemory {
  var path: String { get }
  /// The format as reports name it: `elf-core`, …
  var format: String { get }
  /// Where the machine had memory, in order of addresses, without overlap.
  var ranges: [ClosedRange<UInt64>] { get }
  var notes: [ImageNote] { get }
  /// What the file lacks or contradicts: one line each.
  var damage: [String] { get }
  /// What kind of machine the memory is of; nil where the format does not tell.
  var machine: Machine? { get }
  /// Where the format says that stretches of memory are mapped, in the order of the file.
  var placements: [Placement] { get }
  /// Whether the machine runs on, so that what lies at an address may change between two reads.
  var isRunning: Bool { get }
  /// Whether the machine had no memory but `ranges`; a writer may have left out more (AVML's zeros).
  var tellsAllMemory: Bool { get }
  /// How many bytes of memory the file can hold at most: what claims to be longer repeats itself.
  var heldBytes: UInt64 { get }
  /// What makedumpfile was told to leave out (its -d), where the format tells.
  var dumpLevel: UInt32? { get }
  /// By which numbers a guest knows frames that its file keeps by the machine's; none where it keeps
  /// them by the guest's own.
  var ownFrames: [OwnFrames] { get }
  /// Whether the file leaves out pages that are read as zeros.
  var leavesOutZeros: Bool { get }
  /// Whether the page at an address is none of the file's and is read as zeros, because the file
  /// leaves zero pages out.
  func isTakenForZero(_ address: UInt64) -> Bool

  /// Copies physical memory.
  func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8]
  /// Visits every page that the image holds, with a look at its first bytes.
  func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void)
  /// The checksum of the whole file, in which 8 bytes from an offset on count as zero; nil where the
  /// image is no file that can be summed.
  func checksum(zeroing offset: Int) -> UInt64?
}

/// Frames of a guest that follow each other by its own numbers and by the machine's, in pages.
package struct OwnFrames: Sendable, Equatable {
  /// The guest's number of the first.
  package let own: UInt64
  /// The machine's number of the first.
  package let machine: UInt64
  package var count: UInt64

  package init(own: UInt64, machine: UInt64, count: UInt64 = 1) {
    self.own = own
    self.machine = machine
    self.count = count
  }
}

/// A stretch of memory and where it is mapped.
package struct Placement: Sendable, Equatable {
  package let virtual: UInt64
  package let physical: UInt64

  package init(virtual: UInt64, physical: UInt64) {
    self.virtual = virtual
    self.physical = physical
  }
}

extension MemoryImage {
  package var notes: [ImageNote] { [] }
  package var machine: Machine? { nil }
  package var placements: [Placement] { [] }
  package var isRunning: Bool { false }
  package var tellsAllMemory: Bool { true }
  package var heldBytes: UInt64 { ~0 }
  package var dumpLevel: UInt32? { nil }
  package var ownFrames: [OwnFrames] { [] }
  package var leavesOutZeros: Bool { false }
  package func isTakenForZero(_ address: UInt64) -> Bool { false }
  package func checksum(zeroing offset: Int) -> UInt64? { nil }

  package func forEachPage(_ body: (_ address: UInt64, _ startsWith: ([UInt8]) -> Bool) -> Void) {
    for range in ranges {
      var address = range.lowerBound
      while address <= range.upperBound {
        body(address) { wanted in (try? read(at: address, count: wanted.count)) == wanted }
        guard range.upperBound - address >= 4096 else { break }
        address += 4096
      }
    }
  }
}

/// Opens files in whatever format they are, found from their content.
package enum ImageFile {
  /// A file's content, out of what packs or flattens it.
  ///
  /// - Parameters:
  ///   - path: `-` for standard input; that and a pipe's content go into a temporary file.
  ///   - limit: the bytes that may go into a temporary file.
  /// - Throws: `ImageError` where it cannot be opened, unpacked or rearranged.
  package static func content(
    path: String, limit: UInt64 = imageLimit
  ) throws(ImageError) -> MappedFile {
    var file = try isStream(path) ? streamed(path, limit) : MappedFile(path: path)
    if let packed = PackedFormat.of(file) { file = try packed.unpack(file, limit: limit) }
    return FlattenedFormat.matches(file) ? try FlattenedFormat.rearrange(file) : file
  }

  /// Content that is longer is no memory image that unpacking is the way to read.
  package static let imageLimit: UInt64 = 64 << 30

  /// Whether the content can be had once, from its beginning to its end: standard input's, a pipe's.
  private static func isStream(_ path: String) -> Bool {
    var status = stat()
    return path == "-"
      || (unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
  }

  private static func streamed(_ path: String, _ limit: UInt64) throws(ImageError) -> MappedFile {
    let isStandardInput = path == "-"
    let file = try TemporaryFile(for: isStandardInput ? "standard input" : path)
    let descriptor = isStandardInput ? 0 : unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ImageError(
        path, failingTo: "cannot open", code: errno, advice: "check the name and the permissions")
    }
    defer { if !isStandardInput { close(descriptor) } }
    try file.take(from: descriptor, limit: limit)
    return try file.mapped(damage: [])
  }

  /// Opens what `content` gave.
  ///
  /// - Parameters:
  ///   - files: one, or the parts of one split dump.
  ///   - base: where the memory starts of a file that is of no known format.
  /// - Returns: nil where the file is no memory image of a known format.
  /// - Throws: `ImageError` where it is one and cannot be read.
  package static func open(
    _ files: [MappedFile], base: UInt64? = nil
  ) throws(ImageError) -> (any MemoryImage)? {
    guard let file = files.first else { return nil }
    if KdumpFormat.matches(file) { return try KdumpFormat.read(files) }
    if ELFFormat.matches(file) { return try ELFFormat.read(file) }
    if LiMEFormat.matches(file) { return try LiMEFormat.read(file) }
    if AVMLFormat.matches(file) { return try AVMLFormat.read(file) }
    try UnreadFormats.refuse(file)
    if let base { return try RawFormat.read(file, base: base) }
    return nil
  }

  /// Opens a file that must be a memory image.
  package static func open(
    path: String, base: UInt64? = nil
  ) throws(ImageError) -> any MemoryImage {
    try open(paths: [path], base: base)
  }

  /// Opens files that must be one memory image: the parts of a split dump, in any order.
  package static func open(
    paths: [String], base: UInt64? = nil
  ) throws(ImageError) -> any MemoryImage {
    if paths == [KcoreImage.file] { return try KcoreImage() }
    var files: [MappedFile] = []
    for path in paths { files.append(try content(path: path)) }
    guard let image = try open(files, base: base) else {
      throw ImageError(
        paths.first ?? "", offset: 0, "expected a memory image (ELF core, kdump, LiME, AVML)",
        advice: "give one, or --base ADDRESS for one of raw memory")
    }
    return image
  }

  /// Puts the parts of each split dump together; any other file stands for itself.
  package static func grouped(_ files: [MappedFile]) -> [[MappedFile]] {
    grouped(files) { KdumpFormat.partIdentity($0) }
  }

  /// The same of paths: nothing of a file is read but the header of a split dump, and a packed part
  /// stands for itself.
  package static func grouped(_ paths: [String]) -> [[String]] {
    grouped(paths) { path in
      isStream(path)
        ? nil : (try? MappedFile(path: path)).flatMap(KdumpFormat.partIdentity)
    }
  }

  private static func grouped<Part>(_ parts: [Part], by identity: (Part) -> [UInt8]?) -> [[Part]] {
    var groups: [(identity: [UInt8]?, parts: [Part])] = []
    for part in parts {
      let identity = identity(part)
      if identity != nil, let index = groups.firstIndex(where: { $0.identity == identity }) {
        groups[index].parts.append(part)
      } else {
        groups.append((identity, [part]))
      }
    }
    return groups.map(\.parts)
  }
}
