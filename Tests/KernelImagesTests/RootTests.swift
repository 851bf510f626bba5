import Foundation
import KernelImages
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
    let (original, edited) = try image(sample) { core in
      _ = takeNote(&core)
      core.hideSymbols()
    }
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

  /// The symbol table, found by its content, names the kernel's own top table.
  @Test(arguments: ["healthy", "healthy-pti", "healthy-5level"])
  func symbolsWithoutTheNote(_ sample: String) throws {
    let (original, edited) = try image(sample) { core in _ = takeNote(&core) }
    #expect(edited.problems == [])
    #expect(edited.facts.root?.source == "init_top_pgt (kallsyms of the image)")
    #expect(edited.root == original.root)
    #expect(edited.symbols?.count == original.symbols?.count)
    #expect(edited.facts.pti?.value == original.facts.pti?.value)
  }

  @Test func theUsersHalfLeadsToTheKernels() throws {
    let (_, edited) = try image("healthy-pti") { core in
      _ = takeNote(&core)
      core.hideSymbols()
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

  /// A machine whose entries carry SME's bit; the direct map's second page does not.
  @Test(arguments: [47, 51] as [UInt64]) func encryptedMemory(_ bit: UInt64) throws {
    let mask: UInt64 = 1 << bit
    func image(_ noted: UInt64) throws -> KernelImage {
      var core = ELFCore()
      let note = """
        OSRELEASE=6.12.0
        SYMBOL(swapper_pg_dir)=ffffffff80002000
        SYMBOL(_stext)=ffffffff80001000
        NUMBER(phys_base)=0
        NUMBER(sme_mask)=\(Int64(bitPattern: noted))

        """
      core.notes = [ELFCore.Note(name: "VMCOREINFO", bytes: Array(note.utf8))]
      let tables: [(address: UInt64, entries: [Int: UInt64])] = [
        (0x2000, [273: 0x3063 | mask, 511: 0x5063 | mask]), (0x3000, [0: 0x4063 | mask]),
        (0x4000, [0: 0x8000_0000_0000_01e3 | mask, 1: 0x8000_0000_0020_01e3]),
        (0x5000, [510: 0x6063 | mask]), (0x6000, [0: 0x1e1 | mask]),
      ]
      for table in tables {
        let page = (0..<512).flatMap { index in
          (0..<8).map { UInt8(truncatingIfNeeded: (table.entries[index] ?? 0) >> (8 * $0)) }
        }
        core.add(page: page, at: table.address)
      }
      return try Samples.withTemporaryFile { path in
        try Data(core.encoded()).write(to: URL(filePath: path))
        return try KernelImage(ImageFile.open(path: path))
      }
    }
    let read = try image(mask)
    #expect(read.problems == [])
    #expect(read.root == 0x2000)
    #expect(read.facts.smeMask?.value == mask)
    #expect(read.facts.directMap?.value == 0xffff_8880_0000_0000)
    let leaves = read.space().runs.filter { $0.isLeaf }
    #expect(leaves.map(\.physical) == [0, 0x20_0000, 0])
    #expect(
      leaves.map { read.mode.names($0.flags, level: 2).contains("ENC") } == [true, false, true])
    #expect(read.walk(0xffff_ffff_8000_2000).physical == 0x2000)
    // Without the bit every table seems to lie outside memory; a mask of several is none.
    for wrong in [0, mask | mask >> 1] {
      #expect(try image(wrong).problems.contains { $0.hasPrefix("nothing confirms") })
    }
    #expect(try image(mask | 1).problems.contains { $0.contains("sme_mask") })
  }

  /// Two kernels 2 MiB apart, each with its note in memory.
  @Test func twoKernelsInOneMemory() throws {
    func page(_ entries: [Int: UInt64]) -> [UInt8] {
      (0..<512).flatMap { index in
        (0..<8).map { UInt8(truncatingIfNeeded: (entries[index] ?? 0) >> (8 * $0)) }
      }
    }
    var core = ELFCore()
    for base in [0, 0x20_0000] as [UInt64] {
      let note = """
        OSRELEASE=6.12.\(base >> 21)
        SYMBOL(swapper_pg_dir)=ffffffff80002000
        SYMBOL(_stext)=ffffffff80001000
        NUMBER(phys_base)=\(base)

        """
      core.add(page: self.page(Array(note.utf8)), at: base + 0x1000)
      core.add(page: page([273: base + 0x3063, 511: base + 0x5063]), at: base + 0x2000)
      core.add(page: page([0: base + 0x4063]), at: base + 0x3000)
      let leaf: UInt64 = 0x8000_0000_0000_01e3
      core.add(page: page([0: leaf, 1: leaf + 0x20_0000]), at: base + 0x4000)
      core.add(page: page([510: base + 0x6063]), at: base + 0x5000)
      core.add(page: page([0: base + 0x1e1]), at: base + 0x6000)
    }
    let image = try Samples.withTemporaryFile { path in
      try Data(core.encoded()).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path))
    }
    #expect(image.problems == [])
    #expect(image.root == 0x2000)
    #expect(image.otherRoots == [0x20_2000])
    #expect(image.facts.release?.value == "6.12.0")
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
