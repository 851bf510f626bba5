import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// /proc/kcore as a made-up file.
@Suite struct KcoreTests {
  private static let noPhysical = UInt64.max

  private func bytes(_ value: UInt8, pages: Int) -> [UInt8] {
    [UInt8](repeating: value, count: 4096 * pages)
  }

  /// Text, vmalloc, two stretches of memory with a hole between them, and vmemmap.
  private var core: ELFCore {
    var core = ELFCore()
    core.notes = [ELFCore.Note(name: "CORE", type: 1, bytes: [1, 2, 3, 4])]
    core.segments = [
      ELFCore.Segment(
        physical: 0x200_0000, virtual: 0xffff_ffff_8300_0000, bytes: bytes(0xee, pages: 1)),
      ELFCore.Segment(
        physical: Self.noPhysical, virtual: 0xffff_c900_0000_0000, bytes: bytes(0xdd, pages: 1)),
      ELFCore.Segment(
        physical: 0x10_0000, virtual: 0xffff_8880_0010_0000, bytes: bytes(0xbb, pages: 2)),
      ELFCore.Segment(
        physical: 0x1000, virtual: 0xffff_8880_0000_1000, bytes: bytes(0xaa, pages: 3)),
      ELFCore.Segment(
        physical: Self.noPhysical, virtual: 0xffff_ea00_0000_0000, bytes: bytes(0xcc, pages: 1)),
    ]
    return core
  }

  private func open<Result>(
    _ content: [UInt8], _ body: (KcoreImage, String) throws -> Result
  ) throws -> Result {
    try Samples.withTemporaryFile { path in
      try Data(content).write(to: URL(filePath: path))
      return try body(try KcoreImage(path: path), path)
    }
  }

  @Test func segmentsWithAPhysicalAddressAreMemory() throws {
    try open(core.encoded()) { image, _ in
      #expect(image.format == "kcore")
      #expect(image.ranges == [0x1000...0x3fff, 0x10_0000...0x10_1fff])
      #expect(image.placements.map { $0.virtual &- $0.physical }.contains(0xffff_ffff_8100_0000))
      #expect(image.notes.map(\.name) == ["CORE"])
      #expect(image.notes.map(\.bytes) == [[1, 2, 3, 4]])
      #expect(image.damage == [])
      #expect(try image.read(at: 0x3ffc, count: 4) == [0xaa, 0xaa, 0xaa, 0xaa])
      #expect(try image.read(at: 0x10_1000, count: 2) == [0xbb, 0xbb])
      var table: [UInt64] = [0, 0]
      try image.readTable(at: 0x10_0000, into: &table)
      #expect(table == [0xbbbb_bbbb_bbbb_bbbb, 0xbbbb_bbbb_bbbb_bbbb])
    }
  }

  /// A copy without vmalloc and vmemmap lacks nothing: they take no part of memory.
  @Test func aCopyNeedsNoVmalloc() throws {
    var core = core
    core.segments.sort { $0.physical < $1.physical }
    var content = core.encoded()
    content.removeLast(2 * 4096)
    try Samples.withTemporaryFile { path in
      try Data(content).write(to: URL(filePath: path))
      let image = try ImageFile.open(path: path)
      #expect(image.format == "elf-core" && image.damage == [])
      #expect(image.ranges == [0x1000...0x3fff, 0x10_0000...0x10_1fff, 0x200_0000...0x200_0fff])
      try Data(content.dropLast()).write(to: URL(filePath: path))
      #expect(try ImageFile.open(path: path).damage.count == 1)
    }
  }

  @Test func holesAreNoMemory() throws {
    try open(core.encoded()) { image, _ in
      for address: UInt64 in [0, 0x4000, 0xf_f000, 0x10_2000, 0x200_0000, Self.noPhysical] {
        #expect(throws: UnreadableMemory.outsideMemory) { try image.read(at: address, count: 1) }
      }
      #expect(throws: UnreadableMemory.notInImage) { try image.read(at: 0x3fff, count: 2) }
    }
  }

  /// The direct map tells what is memory, wherever an architecture has it and its text.
  @Test(arguments: [0x8000_0010_0000, 0xffff_0000_0010_0000] as [UInt64])
  func theTextLiesAtAnotherDistance(_ start: UInt64) throws {
    var core = ELFCore()
    core.segments = [
      ELFCore.Segment(
        physical: 0x10_2000, virtual: 0xffff_8000_0801_0000, bytes: bytes(0xbb, pages: 1)),
      ELFCore.Segment(physical: 0x10_0000, virtual: start, bytes: bytes(0xaa, pages: 3)),
      ELFCore.Segment(
        physical: 0x80_0000, virtual: start + 0x70_0000, bytes: bytes(0xcc, pages: 1)),
    ]
    try open(core.encoded()) { image, _ in
      #expect(image.ranges == [0x10_0000...0x10_2fff, 0x80_0000...0x80_0fff])
      let first = try image.read(at: 0x10_2000, count: 1)
      #expect(first == [0xaa])
    }
  }

  @Test func anotherMachinesIsRefusedByName() throws {
    var core = core
    core.machine = .riscv64
    let error = #expect(throws: ImageError.self) { try open(core.encoded()) { _, _ in } }
    #expect("\(error.map { "\($0)" } ?? "")".contains("a riscv64 memory image: not read yet"))
  }

  /// Kernels before 4.11 list all stretches at zero.
  @Test func withoutPhysicalAddressesNothingIsMemory() throws {
    var core = core
    for index in core.segments.indices {
      let old = core.segments[index]
      core.segments[index] = ELFCore.Segment(
        physical: 0, virtual: old.virtual, bytes: bytes(1, pages: index + 1))
    }
    #expect(throws: ImageError.self) { try open(core.encoded()) { _, _ in } }
  }

  @Test func memoryIsReadWhenItIsAskedFor() throws {
    let content = core.encoded()
    try open(content) { image, path in
      #expect(try image.read(at: 0x1000, count: 1) == [0xaa])
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      let place = try #require(content.firstIndex(of: 0xaa))
      try file.seek(toOffset: UInt64(place))
      try file.write(contentsOf: Data([0x55]))
      #expect(try image.read(at: 0x1000, count: 2) == [0x55, 0xaa])
      // What the file no longer gives is not in the image; it is not read as zeros.
      try file.truncate(atOffset: UInt64(place + 1))
      try file.close()
      #expect(throws: UnreadableMemory.notInImage) { try image.read(at: 0x1000, count: 2) }
    }
  }

  @Test func whatIsNotLaidOutLikeItIsRefused() throws {
    var overlapping = core
    overlapping.segments.append(
      ELFCore.Segment(
        physical: 0x2000, virtual: 0xffff_8880_0000_2000, bytes: bytes(0, pages: 1)))
    var empty = core
    empty.segments = empty.segments.filter { $0.physical == Self.noPhysical }
    var other = core.encoded()
    other[4] = 1
    let headers = Array(core.encoded().prefix(100))
    for content in [overlapping.encoded(), empty.encoded(), other, headers, []] {
      #expect(throws: ImageError.self) { try open(content) { _, _ in } }
    }
    #expect(throws: ImageError.self) { try KcoreImage(path: "/nonexistent/kcore") }
  }

  @Test func notesOfABadSizeAreDamage() throws {
    var content = core.encoded()
    // p_filesz of the first program header, which is that of the notes.
    content.replaceSubrange((64 + 32)..<(64 + 40), with: [0, 0, 0, 0, 0, 0, 0, 0x7f])
    try open(content) { image, _ in
      #expect(image.damage == ["the notes at 0x190 cannot be read"])
      #expect(image.ranges.count == 2)
    }
  }

  /// A real kernel's tables, laid out as its kcore would have them, are found and read the same.
  @Test(arguments: Samples.healthy) func tablesAreFound(_ sample: String) throws {
    let original = try Samples.image(sample)
    let base = try #require(original.facts.directMap?.value)
    var core = try RawImage.core(original, .procVmcore)
    // The kernel's own text goes by its own address, vmalloc by none.
    core.segments.append(
      ELFCore.Segment(
        physical: Self.noPhysical, virtual: base &+ 0x4000_0000_0000, bytes: bytes(0xff, pages: 1)))
    try open(core.encoded()) { memory, _ in
      let image = try KernelImage(memory)
      #expect(image.problems == [])
      #expect(image.root == original.root)
      #expect(image.mode.name == original.mode.name)
      #expect(image.facts.directMap?.value == base)
      let runs = Walker.walk(root: image.root, mode: image.mode, memory: memory).runs
      #expect(
        runs == Walker.walk(root: image.root, mode: image.mode, memory: original.memory).runs)
      #expect(runs.count > 50)
    }
  }
}
