import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// arm64's tables found without help: by a copy of the note in memory, and by what they are.
@Suite struct Arm64RootTests {
  /// The pages of an extract alone, without what the program notes in one.
  private func core(_ image: KernelImage) throws -> ELFCore {
    var core = try RawImage.core(image, .qemu)
    core.machine = .arm64
    return core
  }

  private func opened(_ bytes: [UInt8]) throws -> KernelImage {
    try Samples.withTemporaryFile { path in
      try Data(bytes).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path))
    }
  }

  /// Five levels with LPA2, four, KPTI's bits in pointers, 16K of three widths' kinds, and a kernel of 64K
  /// that was made for 52 bits and runs with them and with 48.
  @Test(arguments: ["612-4k52", "612-4k48-kpti", "612-16k47-kpti", "612-16k52", "64k48", "64k52"])
  func theTablesAreFound(_ sample: String) throws {
    let image = try Samples.image(sample)
    var core = try core(image)
    core.notes.removeAll { $0.name == "VMCOREINFO" }
    let found = try opened(core.encoded())
    #expect(found.root == image.root && found.mode.name == image.mode.name)
    #expect(found.facts.root?.source.hasPrefix("the tables: ") == true)
    #expect(found.facts.directMap?.value == image.facts.directMap?.value)
    #expect(found.problems.contains { $0.contains("where the kernel's areas lie") })
    #expect(found.space().runs == image.space().runs)
  }

  /// Where two are equally good, or none is left, nothing is guessed.
  @Test func nothingIsGuessed() throws {
    let image = try Samples.image("612-4k52")
    var core = try core(image)
    core.notes.removeAll { $0.name == "VMCOREINFO" }
    let top = try image.memory.read(at: image.root, count: 4096)
    var twice = core
    twice.add(page: top, at: 0x3000_0000)
    // A copy leads to itself where the direct map has its own page, as it has the names of symbols.
    let names = try #require(image.info?.symbol("kallsyms_names"))
    let free = try #require(image.walk(names).physical) & ~4095 + 4096
    for index in core.segments.indices {
      let segment = core.segments[index]
      guard segment.physical <= free, free < segment.physical + UInt64(segment.bytes.count) else {
        continue
      }
      let at = Int(free - segment.physical)
      core.segments[index].bytes.replaceSubrange(at..<(at + 4096), with: top)
    }
    #expect(throws: ImageError.self) { try opened(core.encoded()) }
    // One that lies where nothing maps it is no candidate.
    #expect(try opened(twice.encoded()).root == image.root)
  }

  /// LiME's files name no machine; the kernel's copy of its note does.
  @Test(arguments: ["612-4k52", "612-4k48-kpti", "64k48"])
  func theNoteInMemoryNamesTheMachine(_ sample: String) throws {
    let image = try Samples.image(sample)
    var core = try core(image)
    let note = try #require(core.notes.first { $0.name == "VMCOREINFO" }).bytes
    let size = Int(image.mode.granule)
    core.add(page: note + [UInt8](repeating: 0, count: size - note.count), at: 0x7_0000_0000)
    let found = try opened(Container.lime(core))
    #expect(found.info?.source == "VMCOREINFO in memory at 0x700000000")
    #expect(found.root == image.root && found.mode.name == image.mode.name)
    #expect(found.problems == [])
    #expect(found.layout.areas == image.layout.areas)
  }
}
