import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// What an image must not be believed, and what must not leave it.
@Suite struct TrustTests {
  private func page(_ entries: [Int: UInt64]) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in 0..<512 { bytes.append(entries[index] ?? 0, size: 8) }
    return bytes
  }

  private func image(_ core: ELFCore, symbols: [Symbols] = []) throws -> KernelImage {
    try Samples.withTemporaryFile { path in
      try Data(core.encoded()).write(to: URL(filePath: path))
      return try KernelImage(ImageFile.open(path: path), symbols: symbols)
    }
  }

  // MARK: - Registers

  /// QEMU's note with each byte marked but its header and the control registers.
  ///
  /// Source: `QEMUCPUState`, target/i386/arch_dump.c, QEMU 8.
  private func markedRegisters(_ marker: String) -> [UInt8] {
    var note: [UInt8] = []
    note.append(1, size: 4)
    note.append(440, size: 4)
    while note.count < 440 { note += Array(marker.utf8) }
    for value in [0x8005_0033, 0, 0, 0x2000, 0xa0].enumerated() {
      var bytes: [UInt8] = []
      bytes.append(UInt64(value.element), size: 8)
      note.replaceSubrange((392 + 8 * value.offset)..<(400 + 8 * value.offset), with: bytes)
    }
    return note
  }

  /// General registers may hold keys and pointers; debug registers and segments are not needed.
  @Test func extractLeavesRegistersOut() throws {
    let marker = "REGISTER"
    let note = markedRegisters(marker)
    var core = ELFCore()
    // Two processors, and what the kernel itself notes of theirs.
    core.notes = [
      ELFCore.Note(name: "CORE", type: 1, bytes: Array("\(marker)\(marker)".utf8)),
      ELFCore.Note(name: "QEMU", bytes: note), ELFCore.Note(name: "QEMU", bytes: note),
    ]
    core.add(page: page([273: 0x3063]), at: 0x2000)
    core.add(page: page([0: 0x4063]), at: 0x3000)
    core.add(page: page([0: 0x8000_0000_0000_01e3]), at: 0x4000)
    #expect(Data(core.encoded()).range(of: Data(marker.utf8)) != nil)
    let small = Extract.make(try image(core), keepLog: true)
    for part in [marker, "REGI", "STER"] {
      #expect(Data(small).range(of: Data(part.utf8)) == nil, "\(part)")
    }
    let notes = try Samples.withTemporaryFile { path in
      try Data(small).write(to: URL(filePath: path))
      return try ImageFile.open(path: path).notes
    }
    #expect(!notes.contains { $0.name == "CORE" })
    let registers = notes.filter { $0.name == "QEMU" }.map(\.bytes)
    #expect(registers.count == 2)
    for bytes in registers {
      #expect(bytes.count == note.count)
      for index in bytes.indices {
        let isKept = index < 8 || (392..<432).contains(index)
        #expect(bytes[index] == (isKept ? note[index] : 0), "byte \(index)")
      }
    }
  }

  // MARK: - The crash kernel

  /// A kernel at `base`: its note, its tables, and symbols of its own where it has some.
  private func add(
    kernelAt base: UInt64, symbols: [(name: String, offset: Int32)] = [], to core: inout ELFCore
  ) {
    var note = """
      OSRELEASE=6.12.\(base >> 21)
      SYMBOL(swapper_pg_dir)=ffffffff80002000
      SYMBOL(_stext)=ffffffff80001000
      NUMBER(phys_base)=\(base)

      """
    if !symbols.isEmpty {
      for (index, name) in [
        "names", "token_table", "token_index", "num_syms", "offsets", "relative_base",
      ].enumerated() {
        note += "SYMBOL(kallsyms_\(name))=\((0xffff_ffff_8001_0000 + UInt64(index) << 12).hex())\n"
      }
    }
    let text = Array(note.utf8)
    core.add(page: text + [UInt8](repeating: 0, count: 4096 - text.count), at: base + 0x1000)
    core.add(page: page([273: base + 0x3063, 511: base + 0x5063]), at: base + 0x2000)
    core.add(page: page([0: base + 0x4063]), at: base + 0x3000)
    let leaf: UInt64 = 0x8000_0000_0000_01e3
    core.add(page: page([0: leaf, 1: leaf + 0x20_0000]), at: base + 0x4000)
    core.add(page: page([510: base + 0x6063]), at: base + 0x5000)
    core.add(page: page([0: base + 0x1e1]), at: base + 0x6000)
    guard !symbols.isEmpty else { return }
    // Each token is the letter of its number. Source: scripts/kallsyms.c, 6.12.
    var names: [UInt8] = []
    var offsets: [UInt8] = []
    for symbol in symbols {
      names += [UInt8(symbol.name.utf8.count + 1), UInt8(ascii: "d")] + Array(symbol.name.utf8)
      offsets.append(UInt64(UInt32(bitPattern: symbol.offset)), size: 4)
    }
    var tokens: [UInt8] = []
    var index: [UInt8] = []
    for token in 0..<256 {
      index.append(UInt64(tokens.count), size: 2)
      tokens += token == 0 ? [0] : [UInt8(token), 0]
    }
    var count: [UInt8] = []
    count.append(UInt64(symbols.count), size: 4)
    var start: [UInt8] = []
    start.append(0xffff_ffff_8000_0000, size: 8)
    for (number, bytes) in [names, tokens, index, count, offsets, start].enumerated() {
      core.add(
        page: bytes + [UInt8](repeating: 0, count: 4096 - bytes.count),
        at: base + 0x1_0000 + UInt64(number) << 12)
    }
  }

  /// A crash kernel runs in the memory that the crashed one reserved for it: below or above.
  @Test(arguments: [[0, 0x20_0000], [0x20_0000, 0]] as [[UInt64]])
  func theCrashedKernelIsChosen(_ bases: [UInt64]) throws {
    let (crashed, running) = (bases[0], bases[1])
    var core = ELFCore()
    for base in bases.sorted() {
      add(
        kernelAt: base,
        symbols: base == crashed ? [("_stext", 0x1000), ("crashk_res", 0x2_0000)] : [], to: &core)
      // struct resource: start, and the last byte.
      if base == crashed {
        core.add(page: page([0: running, 1: running + 0x1f_ffff]), at: base + 0x2_0000)
      }
    }
    let image = try image(core)
    #expect(image.root == crashed + 0x2000)
    #expect(image.otherRoots == [running + 0x2000])
    #expect(image.facts.release?.value == "6.12.\(crashed >> 21)")
  }

  // MARK: - Symbols

  private func oneKernel(_ lines: String = "") -> ELFCore {
    var core = ELFCore()
    add(kernelAt: 0, to: &core)
    let note = core.segments[0].bytes[..<4096].prefix { $0 != 0 }
    core.segments[0].bytes.replaceSubrange(
      0..<4096, with: [UInt8](repeating: 0, count: 4096))
    core.notes = [ELFCore.Note(name: "VMCOREINFO", bytes: Array(note) + Array(lines.utf8))]
    return core
  }

  private func symbols(_ base: UInt64, buildID: String? = nil) -> Symbols {
    Symbols(
      [
        (name: "_text", address: base), (name: "_stext", address: base + 0x1000),
        (name: "swapper_pg_dir", address: base + 0x2000),
      ], source: "a file", buildID: buildID)
  }

  @Test func symbolsOfAnotherBuildAreRefused() throws {
    let core = oneKernel("BUILD-ID=aabbccdd\n")
    let base: UInt64 = 0xffff_ffff_8100_0000
    #expect(try image(core, symbols: [symbols(base)]).symbols?["_text"] == 0xffff_ffff_8000_0000)
    #expect(
      try image(core, symbols: [symbols(base, buildID: "aabbccdd")]).symbols?["_text"]
        == 0xffff_ffff_8000_0000)
    #expect(throws: ImageError.self) {
      try image(core, symbols: [symbols(base, buildID: "aabbccde")])
    }
  }

  /// KASLR moves a kernel by multiples of 2 MiB.
  @Test(
    arguments: [
      (0xffff_ffff_8100_0000, true), (0xffff_ffff_8120_0000, true), (0xffff_ffff_8100_1000, false),
      (0xffff_ffff_8110_0000, false),
    ] as [(UInt64, Bool)]) func symbolsOfAnImpossiblePlaceAreRefused(_ base: UInt64, _ fits: Bool)
    throws
  {
    // Without the kernel's note its first page tells where it lies.
    var core = oneKernel()
    core.notes = [ELFCore.Note(name: "QEMU", bytes: markedRegisters("\0"))]
    if fits {
      #expect(try image(core, symbols: [symbols(base)]).symbols?["_text"] == 0xffff_ffff_8000_0000)
    } else {
      #expect(throws: ImageError.self) { try image(core, symbols: [symbols(base)]) }
    }
  }

  // MARK: - The twin

  /// The page behind the root shares the cpu entry area in any two processes' tables; only the user's
  /// twin lacks the direct map.
  @Test(arguments: [true, false]) func theTwinLacksTheDirectMap(_ isTwin: Bool) throws {
    var core = ELFCore()
    core.notes = [ELFCore.Note(name: "QEMU", bytes: markedRegisters("\0"))]
    core.add(page: page([273: 0x4063, 508: 0x6063]), at: 0x2000)
    core.add(page: page(isTwin ? [508: 0x6063] : [273: 0x4063, 508: 0x6063]), at: 0x3000)
    core.add(page: page([0: 0x5063]), at: 0x4000)
    core.add(page: page([0: 0x8000_0000_0000_01e3]), at: 0x5000)
    core.add(page: page([0: 0x7063]), at: 0x6000)
    core.add(page: page([0: 0x8063]), at: 0x7000)
    core.add(page: page([0: 0x8000_0000_0000_9161]), at: 0x8000)
    let image = try image(core)
    #expect(image.root == 0x2000)
    #expect(image.facts.pti?.value == isTwin)
    #expect(image.userRoot == (isTwin ? 0x3000 : nil))
  }
}
