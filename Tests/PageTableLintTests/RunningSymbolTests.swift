import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// What /proc/kallsyms tells of the kernel whose memory is read.
@Suite struct RunningSymbolTests {
  /// As /proc/kallsyms writes the symbols that the tests need, and a module's.
  private func kallsyms(_ symbols: Symbols, hidden: Bool = false) throws -> Symbols? {
    let names = ["_text", "_stext", "_etext", "_end", "init_top_pgt", "__start_rodata"]
    let lines = try names.map { name in
      let address = try #require(symbols[name])
      return (hidden ? "0000000000000000" : address.address.dropFirst(2)) + " T \(name)\n"
    }
    let module = hidden ? "0000000000000000" : "ffffffffc0200000"
    return try Samples.withTemporaryFile { path in
      try Data((lines.joined() + "\(module) t init_module\t[loop]\n").utf8)
        .write(to: URL(filePath: path))
      return RunningKernel.symbols(in: path)
    }
  }

  private func memory(_ sample: String, hidingSymbols: Bool) throws -> [UInt8] {
    try RawImage.make(Samples.image(sample), .qemu) { core in
      guard hidingSymbols else { return }
      for index in core.notes.indices where core.notes[index].name == "VMCOREINFO" {
        // The note leads to where nothing is.
        let note = String(decoding: core.notes[index].bytes, as: UTF8.self)
        core.notes[index].bytes = Array(
          note.replacing("SYMBOL(kallsyms_names)=ffffffff", with: "SYMBOL(kallsyms_names)=00000000")
            .utf8)
      }
    }
  }

  private func read(_ bytes: [UInt8], running: () -> Symbols?) throws -> Subject {
    try Samples.withTemporaryFile { path in
      try Data(bytes).write(to: URL(filePath: path))
      return try InputReader().read(ImageFile.open(path: path), running: running)
    }
  }

  @Test(arguments: ["healthy", "healthy-5level"])
  func theyStandInForWhatMemoryDoesNotTell(_ sample: String) throws {
    let own = try #require(try Samples.image(sample).symbols)
    let told = try #require(try kallsyms(own))
    #expect(told["init_module"] == 0xffff_ffff_c020_0000)
    let bytes = try memory(sample, hidingSymbols: true)
    let alone = try read(bytes) { nil }
    #expect(alone.symbols == nil && !alone.isComplete)
    let subject = try read(bytes) { told }
    #expect(subject.symbols?["_end"] == own["_end"])
    #expect(subject.symbols?.count == told.count)
    #expect(subject.image?.imageFrames != nil)
    // The table of the kernel's memory could not be read, and nothing is missing for it.
    #expect(subject.isComplete)
  }

  @Test func theKernelsOwnMemoryComesFirst() throws {
    let own = try #require(try Samples.image("healthy").symbols)
    let subject = try read(memory("healthy", hidingSymbols: false)) {
      Issue.record("asked, though memory tells the symbols")
      return nil
    }
    #expect(subject.symbols?.count == own.count)
  }

  /// kptr_restrict shows all of them at zero.
  @Test func hiddenAddressesAreNoSymbols() throws {
    #expect(try kallsyms(#require(Samples.image("healthy").symbols), hidden: true) == nil)
  }
}
