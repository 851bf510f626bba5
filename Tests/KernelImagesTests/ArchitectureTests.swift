import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// What differs from machine to machine has one place.
@Suite struct ArchitectureTests {
  @Test(arguments: [
    ("x86-64-4level", "x86-64", 8, false), ("x86-64-5level", "x86-64", 8, false),
    ("i386", "i386", 4, true), ("i386-pae", "i386", 4, true),
  ])
  func eachFormatHasItsArchitecture(
    _ mode: String, _ name: String, _ wordSize: Int, _ imageIsInDirectMap: Bool
  ) throws {
    let format = try #require(TableFormat.named.first { $0.name == mode }).mode()
    #expect(format.architecture.name == name)
    #expect(format.architecture.wordSize == wordSize)
    #expect(format.architecture.imageIsInDirectMap == imageIsInDirectMap)
    // Encryption and the place of the split make no other format of it.
    var moved = format.encrypted(by: 1 << 47) ?? format
    moved.upperHalf = 0x8000_0000
    #expect(moved.architecture.name == name)
  }

  /// What rules and diff ask of a kernel, by word size and release.
  @Test func whatKernelsDo() {
    let (wide, narrow) = (TableFormat.x86_64.architecture, TableFormat.i386PAE.architecture)
    var facts = KernelFacts()
    #expect(wide.fillsKernelHalfLazily(facts) && narrow.fillsKernelHalfLazily(facts))
    facts.release = Fact("6.12.0", "")
    #expect(!wide.fillsKernelHalfLazily(facts) && narrow.fillsKernelHalfLazily(facts))
    #expect(wide.processesOwnKernelHalf(.x86_64, facts) == false)
    #expect(narrow.processesOwnKernelHalf(.i386PAE, facts) == nil)
    facts.pti = Fact(true, "")
    #expect(narrow.processesOwnKernelHalf(.i386PAE, facts) == true)
    #expect(narrow.processesOwnKernelHalf(.i386, facts) == false)
    #expect(narrow.imageSpace(facts, end: nil) == nil && narrow.orderedAreas(facts).isEmpty)
    let start: UInt64 = 0xffff_ffff_8000_0000
    #expect(wide.imageSpace(facts, end: start + 512 << 20) == start...(start + 512 << 20 - 1))
    #expect(wide.imageSpace(facts, end: start + 513 << 20) == start...(start + 1024 << 20 - 1))
    #expect(
      wide.unmovedDirectMaps(.x86_64) == [
        0xffff_8880_0000_0000, 0xffff_8800_0000_0000, 0xffff_8100_0000_0000,
      ])
    #expect(narrow.unmovedDirectMaps(.i386PAE).isEmpty)
    let vsyscall = Run(
      start: 0xffff_ffff_ff60_0000, last: 0xffff_ffff_ff60_0fff, kind: .leaf, level: 1,
      access: [.user, .executeInUser])
    #expect(wide.isOpenByDesign(vsyscall, in: .fixmap, facts))
    var other = vsyscall
    other.start -= 0x1000
    other.last -= 0x1000
    #expect(!wide.isOpenByDesign(other, in: .fixmap, facts))
    facts.release = Fact("4.4.0", "")
    #expect(wide.isOpenByDesign(other, in: .fixmap, facts))
    #expect(!narrow.isOpenByDesign(vsyscall, in: .fixmap, facts))
    other.access.insert(.write)
    #expect(!wide.isOpenByDesign(other, in: .fixmap, facts))
  }

  @Test func theTwinOfATwinIsItself() {
    let architecture = TableFormat.x86_64.architecture
    #expect(architecture.userTwin(of: 0x1_0000, .x86_64) == 0x1_1000)
    #expect(architecture.userTwin(of: 0x1_1000, .x86_64) == 0x1_1000)
  }

  /// A register may hold a key or a password.
  @Test(arguments: ["healthy", "healthy-pti"])
  func anExtractKeepsNoRegisterButControlRegisters(_ sample: String) throws {
    let original = try Samples.image(sample)
    let edited = try RawImage.make(original, .qemu) { core in
      for index in core.notes.indices where core.notes[index].name == "QEMU" {
        for byte in core.notes[index].bytes.indices where !(392..<432).contains(byte) && byte >= 8 {
          core.notes[index].bytes[byte] = 0xa5
        }
      }
    }
    #expect(!original.cpus.isEmpty)
    let bytes = try Samples.withTemporaryFile { path in
      try Data(edited).write(to: URL(filePath: path))
      return Extract.make(try KernelImage(ImageFile.open(path: path)), keepLog: false)
    }
    try Samples.withTemporaryFile { path in
      try Data(bytes).write(to: URL(filePath: path))
      let extract = try KernelImage(ImageFile.open(path: path))
      #expect(extract.cpus == original.cpus)
      let notes = extract.memory.notes.filter { $0.name == "QEMU" }
      #expect(notes.count == original.cpus.count)
      for note in notes { #expect(!note.bytes.contains(0xa5)) }
    }
  }

  @Test func factsAreListedAndSetByKey() throws {
    var facts = KernelFacts()
    facts.root = Fact(0x1000, "given")
    for key in FactKey<Bool>.switches { facts[key] = Fact(key.name == "nx", "assumed") }
    facts.release = Fact("6.12", "given")
    #expect(facts.listed.map(\.name) == ["release", "pti", "nx", "pge", "xen", "root"])
    #expect(facts.listed.map(\.value) == ["6.12", "off", "on", "off", "off", "0x0000000000001000"])
    #expect(facts.nx == Fact(true, "assumed") && facts.pti == Fact(false, "assumed"))
  }

  /// A variable that the image holds goes before what the tables or a register show.
  @Test func theBestSourceOfAFactIsTaken() throws {
    let image = try Samples.image("healthy-pti")
    let pti = try #require(image.facts.pti)
    #expect(pti.value && pti.source.contains("__default_kernel_pte_mask"))
    let bare = try Samples.withTemporaryFile { path in
      let bytes = try RawImage.make(image, .qemu) { core in
        core.notes = core.notes.map { note in
          guard note.name == "VMCOREINFO" else { return note }
          let text = String(decoding: note.bytes, as: UTF8.self)
          let lines = text.split(separator: "\n").filter { !$0.contains("kallsyms") }
          return ELFCore.Note(
            name: note.name, type: note.type,
            bytes: Array((lines.joined(separator: "\n") + "\n").utf8))
        }
        core.hideSymbols()
      }
      try Data(bytes).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path))
    }
    let shown = try #require(bare.facts.pti)
    #expect(shown.value && shown.source == "the page behind the top table is the user's twin")
    #expect(bare.facts.pge?.source == "CR4 (QEMU note)")
  }
}
