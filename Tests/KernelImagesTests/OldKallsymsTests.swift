import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// The symbol table of kernels before 4.6, which holds whole addresses and which no note tells.
@Suite struct OldKallsymsTests {
  private static let text = OldKernelImage.Place.text

  /// A symbol of the per-CPU area, whose address is no place, then those of a kernel at `text`.
  private static func symbols(_ text: UInt64) -> [(name: String, address: UInt64)] {
    [("__per_cpu_start", 0), ("_text", text), ("_stext", text)]
      + (0..<600).map { ("function_number_\($0)", text + 16 * UInt64($0 + 1)) }
      + [("swapper_pg_dir", text + 0x1000), ("_end", text + 0x40_0000)]
  }

  private static func kernel(
    _ symbols: [(name: String, address: UInt64)] = symbols(text), release: String = "3.10.0-1160"
  ) -> OldKernelImage {
    var kernel = OldKernelImage(release: release)
    kernel.lines = ["NUMBER(phys_base)=0"]
    kernel.kallsyms = OldKallsyms.bytes(symbols, word: 8)
    return kernel
  }

  private func check(_ image: KernelImage, _ text: UInt64) throws {
    #expect(image.problems == [])
    let symbols = try #require(image.symbols)
    let wanted = Self.symbols(text)
    #expect(symbols.count == wanted.count)
    for (name, address) in wanted { #expect(symbols[name] == address, "\(name)") }
    let reader = VirtualReader(mode: image.mode, root: image.root, memory: image.memory)
    #expect(Kallsyms.find(image.info, reader)?.base == Kallsyms.Base.none)
  }

  @Test(arguments: ["2.6.26", "2.6.32-754.el6.x86_64", "4.4.0-210-generic"])
  func wholeAddressesAreRead(_ release: String) throws {
    try check(try Self.kernel(release: release).read(), Self.text)
  }

  /// An extract keeps the tables: the symbols are found in it again.
  @Test func anExtractKeepsThem() throws {
    let small = Extract.make(try Self.kernel().read(), keepLog: false)
    let image = try OldKernelImage.read(small)
    #expect(image.extract != nil)
    try check(image, Self.text)
  }

  /// Where the addresses contradict the note, the table is of something else.
  @Test func anotherKernelsTableIsLeft() throws {
    let moved = Self.symbols(Self.text).map { ($0.name, $0.address &+ 8) }
    #expect(try Self.kernel(moved).read().symbols == nil)
  }

  /// Cut at each table: never symbols that are not there.
  @Test(arguments: [1, 2, 4, 8]) func aCutTableIsLeft(_ pages: Int) throws {
    var kernel = Self.kernel()
    let bytes = kernel.kallsyms
    kernel.kallsyms = Array(bytes.dropFirst(4096 * pages))
    #expect(try kernel.read().symbols == nil)
    kernel.kallsyms = Array(bytes.dropLast(512))
    #expect(try kernel.read().symbols == nil)
  }

  // MARK: - 32 bits

  /// The kernel lies at 16 MiB of 64, in the direct map from 0xc0000000 on.
  private static func narrow(isPAE: Bool) -> ELFCore {
    let image: UInt64 = 0x100_0000
    func page(_ entries: [Int: UInt64], size: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      for index in 0..<(4096 / size) { bytes.append(entries[index] ?? 0, size: size) }
      return bytes
    }
    var pages: [UInt64: [UInt8]] = [:]
    if isPAE {
      pages[image + 0x1000] = page([3: (image + 0x2000) | 1], size: 8)
      pages[image + 0x2000] = page(
        Dictionary(uniqueKeysWithValues: (0..<32).map { ($0, 0x1e3 + UInt64($0) << 21) }),
        size: 8)
    } else {
      pages[image + 0x1000] = page(
        Dictionary(uniqueKeysWithValues: (0..<16).map { (768 + $0, 0x1e3 + UInt64($0) << 22) }),
        size: 4)
    }
    let tables = OldKallsyms.bytes(symbols(0xc100_0000), word: 4)
    for start in stride(from: 0, to: tables.count, by: 4096) {
      let part = Array(tables[start..<min(start + 4096, tables.count)])
      pages[image + 0x4_0000 + UInt64(start)] =
        part + [UInt8](repeating: 0, count: 4096 - part.count)
    }
    var core = ELFCore()
    core.machine = .i386
    let note = """
      OSRELEASE=2.6.32-5-686
      PAGESIZE=4096
      SYMBOL(swapper_pg_dir)=c1001000
      SYMBOL(_stext)=c1000000

      """
    core.notes = [ELFCore.Note(name: "VMCOREINFO", bytes: Array(note.utf8))]
    for (address, page) in pages.sorted(by: { $0.key < $1.key }) {
      core.add(page: page, at: address)
    }
    return core
  }

  @Test(arguments: [false, true]) func addressesOf32BitsAreRead(_ isPAE: Bool) throws {
    let image = try OldKernelImage.read(Self.narrow(isPAE: isPAE).encoded())
    #expect(image.mode == (isPAE ? .i386PAE : .i386))
    try check(image, 0xc100_0000)
    let small = try OldKernelImage.read(Extract.make(image, keepLog: false))
    try check(small, 0xc100_0000)
  }
}
