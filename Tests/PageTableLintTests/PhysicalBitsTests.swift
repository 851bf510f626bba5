import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Address bits that the processor does not have are reserved, where the kernel tells how many it
/// has.
@Suite struct PhysicalBitsTests {
  /// A sample's extract with the end of the resource tree among its values.
  private func memory(_ sample: String, end: String) throws -> PatchedImage {
    let memory = PatchedImage(try ImageFile.open(path: Samples.imagePath(sample)))
    memory.notes = memory.notes.compactMap { note in
      // The values come first; a checksum would miss the change.
      guard note.name == "PTDUMPLINT" else { return note }
      if note.type == 1 { return nil }
      guard note.type == 2 else { return note }
      let bytes = note.bytes + Array("iomem_resource.end=\(end)\n".utf8)
      return ImageNote(name: note.name, type: note.type, bytes: bytes, offset: note.offset)
    }
    return memory
  }

  @Test(
    arguments: [
      ("0xffffffffff", 40), ("0xfffffffffffff", 52), ("0xffffffffffffffff", nil),
      ("0xffffffff", nil), ("0xfffffffff0", nil),
    ] as [(String, Int?)])
  func theTreesEndTellsThem(_ end: String, _ bits: Int?) throws {
    let image = try KernelImage(memory("healthy", end: end))
    #expect(image.facts.physicalBits?.value == bits.map(UInt64.init))
    #expect(image.mode.level(1).reservedInLeaf & 1 << 45 == (bits == 40 ? 1 << 45 : 0))
  }

  /// A healthy kernel has no such bit anywhere.
  @Test(arguments: Samples.healthy) func healthyKernelsHaveNone(_ sample: String) throws {
    let found = Linter.run(Subject(image: try KernelImage(memory(sample, end: "0xffffffffff"))))
      .findings.map(\.rule.id)
    let before = Linter.run(Subject(image: try Samples.image(sample))).findings.map(\.rule.id)
    #expect(found.filter { $0 != "PT903" } == before)
  }

  /// One finding, whatever the frame would be: of leaves of each size, and of table pointers.
  @Test(arguments: ["healthy", "healthy-pti"], [41, 47, 51] as [UInt64])
  func isOneFinding(_ sample: String, _ bit: UInt64) throws {
    let memory = try memory(sample, end: "0xffffffffff")
    let image = try KernelImage(memory)
    let layout = image.layout
    let quiet = Set(["PT903"] + Linter.run(Subject(image: image)).findings.map(\.rule.id))
    for kind in [Area.Kind.directMap, .vmalloc, .vmemmap, .image, .cpuEntryArea] {
      let space = image.space()
      let leaves = layout.runs(kind, in: space).filter(\.isLeaf)
      let leaf = try #require(leaves.last)
      let step = try #require(image.walk(leaf.start).steps.last)
      try memory.set(step.entry ^ 1 << bit, at: step.index, of: step.table)
      let findings = Linter.run(Subject(image: image)).findings.filter {
        !quiet.contains($0.rule.id) || $0.rule.id == "PT501"
      }
      // Isolation shares the cpu entry area: each table has its finding.
      #expect(Set(findings.map(\.rule.id)) == ["PT501"], "\(kind)")
      #expect(findings.first?.start == leaf.start, "\(kind)")
      memory.reset()
    }
    let vmemmap = try #require(image.facts.vmemmap?.value)
    let pointer = try #require(image.walk(vmemmap).steps.first)
    try memory.set(pointer.entry ^ 1 << bit, at: pointer.index, of: pointer.table)
    let findings = Linter.run(Subject(image: image)).findings.filter {
      !quiet.contains($0.rule.id)
    }
    #expect(findings.map(\.rule.id) == ["PT501"])
  }

  /// A guest that shares memory by a bit above them is not held to them.
  @Test func sharingGuestsAreNotLimited() throws {
    let memory = try memory("healthy", end: "0xffffffffff")
    memory.notes = memory.notes.map { note in
      guard note.name == "PTDUMPLINT", note.type == 3 else { return note }
      let bytes =
        note.bytes + Array("[    1.0] Memory Encryption Features active: Intel TDX\n".utf8)
      return ImageNote(name: note.name, type: note.type, bytes: bytes, offset: note.offset)
    }
    #expect(try KernelImage(memory).mode.level(1).reservedInLeaf == 0)
  }
}
