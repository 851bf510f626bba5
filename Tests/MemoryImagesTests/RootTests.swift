import Foundation
import MemoryImages
import PageTables
import Support
import Testing

/// The root found without help: no note, copies of it in memory, registers only.
@Suite struct RootTests {
  private func image(
    _ sample: String, edit: (inout ELFCore) -> Void
  ) throws -> (original: KernelImage, edited: KernelImage) {
    let original = try Samples.image(sample)
    let edited = try Samples.withTemporaryFile { path in
      try Data(RawImage.make(original, .qemu, edit: edit)).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path))
    }
    return (original, edited)
  }

  /// Takes the kernel's note out of an image.
  private func takeNote(_ core: inout ELFCore) -> [UInt8] {
    let note = core.notes.first { $0.name == "VMCOREINFO" }?.bytes ?? []
    core.notes.removeAll { $0.name == "VMCOREINFO" }
    return note
  }

  private func page(_ text: [UInt8]) -> [UInt8] {
    text + [UInt8](repeating: 0, count: max(0, 4096 - text.count))
  }

  @Test(arguments: ["healthy", "healthy-pti", "healthy-5level"])
  func theNoteIsFoundInMemory(_ sample: String) throws {
    let (original, edited) = try image(sample) { core in
      let note = takeNote(&core)
      core.segments.append(
        ELFCore.Segment(physical: 0x7000_0000, bytes: page(note)))
    }
    #expect(edited.problems == [])
    #expect(edited.info?.source == "VMCOREINFO in memory at 0x70000000")
    #expect(edited.root == original.root)
    #expect(edited.facts.release?.value == original.facts.release?.value)
  }

  @Test func aPlantedCopyIsPassedOver() throws {
    let (original, edited) = try image("healthy") { core in
      let note = takeNote(&core)
      let planted = String(decoding: note, as: UTF8.self)
        .replacing("SYMBOL(swapper_pg_dir)=ffffffff8", with: "SYMBOL(swapper_pg_dir)=ffffffffa")
        .replacing("OSRELEASE=6", with: "OSRELEASE=9")
      core.segments.append(
        ELFCore.Segment(physical: 0x6000_0000, bytes: page(Array(planted.utf8))))
      core.segments.append(ELFCore.Segment(physical: 0x7000_0000, bytes: page(note)))
    }
    #expect(edited.problems == [])
    #expect(edited.root == original.root)
    #expect(edited.facts.release?.value == "6.12.117")
  }

  @Test(arguments: ["healthy", "healthy-pti", "healthy-5level"])
  func registersAlone(_ sample: String) throws {
    let (original, edited) = try image(sample) { core in _ = takeNote(&core) }
    #expect(edited.problems == [])
    #expect(edited.facts.root?.source.contains("CR3") == true)
    // The tables tell what the kernel's variables would have.
    #expect(edited.facts.directMap?.value == original.facts.directMap?.value)
    // Without isolation the page behind the root is no table, and no extract holds it.
    #expect(edited.facts.pti?.value == (sample == "healthy-pti" ? true : nil))
    #expect(edited.facts.pge?.value == true)
    #expect(edited.facts.nx?.value == true)
    #expect(edited.facts.physBase?.value == original.facts.physBase?.value)
    #expect(edited.mode == original.mode)
  }

  @Test func theUsersHalfLeadsToTheKernels() throws {
    let (_, edited) = try image("healthy-pti") { core in
      _ = takeNote(&core)
      for index in core.notes.indices where core.notes[index].name == "QEMU" {
        // Bit 12 of CR3, and a process's PCID.
        core.notes[index].bytes[417] |= 0x10
        core.notes[index].bytes[416] |= 0x05
      }
    }
    #expect(edited.problems == [])
    #expect(edited.facts.root?.source.contains("the kernel's half") == true)
    #expect(edited.root & 0x1fff == 0)
    #expect(edited.facts.pti?.value == true)
  }

  @Test func aWrongNoteIsSaid() throws {
    let (_, edited) = try image("healthy") { core in
      for index in core.notes.indices where core.notes[index].name == "VMCOREINFO" {
        let text = String(decoding: core.notes[index].bytes, as: UTF8.self)
        core.notes[index].bytes = Array(
          text.replacing("NUMBER(phys_base)=-", with: "NUMBER(phys_base)=").utf8)
      }
    }
    #expect(edited.problems.contains { $0.hasPrefix("nothing confirms") })
  }
}
