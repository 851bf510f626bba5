import Foundation
import KernelImages
import KernelText
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Kernels of arm64, captured: what they print of their tables is what their images say.
@Suite struct Arm64SampleTests {
  /// Where the tables of each text start: `user.txt 0x43498c80`.
  private func roots(_ sample: String) throws -> [String: UInt64] {
    guard Samples.has(sample, "roots.txt") else { return [:] }
    let lines = try Samples.text(sample, "roots.txt").split(separator: "\n")
    return Dictionary(
      uniqueKeysWithValues: lines.compactMap { line in
        let words = line.split(separator: " ")
        return UInt64(hexText: words[1]).map { (String(words[0]), $0) }
      })
  }

  private func text(
    _ image: KernelImage, _ roots: [(id: TableID, address: UInt64)]? = nil
  ) throws -> String {
    let subject = Subject(image: image, roots: roots)
    return String(
      decoding: try KernelReport.text(subject.kernel, of: subject).text.bytes, as: UTF8.self)
  }

  @Test func enoughAreThere() { #expect(Samples.arm64.count >= 9) }

  @Test(arguments: Samples.arm64)
  func theKernelsOwnWords(_ sample: String) throws {
    let image = try Samples.image(sample)
    #expect(try text(image) == Samples.text(sample, "kernel.txt"))
    let roots = try roots(sample)
    if let user = roots["user.txt"] {
      let dumped = try text(image, [(id: .root(user), address: user)])
      #expect(try dumped == Samples.text(sample, "user.txt"))
    }
    if let efi = roots["efi.txt"] {
      #expect(image.efiRoot == efi)
      let dumped = try text(image, [(id: .efi, address: efi)])
      #expect(try dumped == Samples.text(sample, "efi.txt"))
    }
  }

  @Test(arguments: Samples.arm64)
  func healthyKernelsAreFreeOfFindings(_ sample: String) throws {
    var subject = Subject(image: try Samples.image(sample))
    if let log = subject.image?.log?.value { _ = subject.take(log: log, userRelease: nil) }
    let report = Linter.run(subject)
    let grave = report.findings.filter { $0.severity >= .warning }
    // rodata=off leaves the kernel's text writable, and that is found.
    #expect(
      sample == "612-rodata-off" ? grave.map(\.rule.id) == ["PT008", "PT008"] : grave.isEmpty)
    #expect(report.subject.problems == [])
  }

  /// Members of a contiguous group may differ in what the processor ignores: NS, DBM of what is writable, the
  /// highest bits.
  @Test(arguments: [5, 51, 59, 63] as [UInt64])
  func ignoredBitsBreakNoGroup(_ bit: UInt64) throws {
    let memory = PatchedImage(try Samples.image("612-4k52").memory)
    let image = try KernelImage(memory)
    let data = try #require(
      image.space().runs.first { $0.flags >> 52 & 1 == 1 && $0.access.contains(.write) })
    let step = try #require(image.walk(data.start &+ 3 * 4096).steps.last)
    func found(_ bit: UInt64) throws -> [String] {
      try memory.set(step.entry ^ 1 << bit, at: step.index, of: step.table)
      return Linter.run(Subject(image: image)).findings.filter { $0.severity >= .warning }.map(
        \.rule.id)
    }
    #expect(try found(bit) == [])
    #expect(try found(52) == ["PT310"])
  }

  /// Where no note tells the areas the tables are read, and nothing is called clean.
  @Test(arguments: ["612-4k52", "612-4k48-kpti", "61-4k48-kpti", "64k48"])
  func withoutTheNoteNothingIsClean(_ sample: String) throws {
    let memory = PatchedImage(try Samples.image(sample).memory)
    memory.notes = []
    let report = Linter.run(Subject(image: try KernelImage(memory)))
    #expect(!report.subject.isComplete)
    #expect(report.findings.map(\.rule.id) == ["PT903"])
  }

  /// What VMCOREINFO tells, or the tables, by hand for one kernel of each kind.
  @Test(arguments: [
    // Made for 52 bits and run with them, with 48, and with 47.
    ("612-4k52", "arm64 4K 52-bit", 16, false, true),
    ("612-4k48-kpti", "arm64 4K 48-bit", 512, true, false),
    // Not global and without KPTI.
    ("612-4k48-nokpti", "arm64 4K 48-bit", 512, false, false),
    ("612-16k47-kpti", "arm64 16K 47-bit", 2048, true, false),
    ("612-16k52", "arm64 16K 52-bit", 32, false, true),
  ])
  func whatIsKnown(
    _ sample: String, _ mode: String, _ entries: Int, _ isIsolated: Bool, _ isGlobal: Bool
  ) throws {
    let image = try Samples.image(sample)
    #expect(image.mode.name == mode && image.mode.root.entries == entries)
    #expect(image.facts.pti?.value == isIsolated && image.facts.pge?.value == isGlobal)
    let base = try #require(image.facts.directMap?.value)
    // The direct map leads to the kernel's own top table, wherever KASLR put it.
    #expect(image.walk(base &+ image.root).physical == image.root)
    #expect(image.symbols?["swapper_pg_dir"].flatMap { image.walk($0).physical } == image.root)
    #expect(image.log?.value.contains("Linux version ") == true)
    #expect(image.roots.count == (isIsolated ? 2 : 1))
    if let twin = image.userRoot {
      // The trampoline's text and nothing else.
      let leaves = image.space(root: twin).runs.filter(\.isLeaf)
      #expect(leaves.count == 1 && leaves[0].access.contains(.executeInKernel))
    }
  }

  /// Where a note of before 5.19 tells no area, the release does: as the note of 6.1 has them.
  @Test(arguments: ["61-4k48", "61-4k48-kpti"])
  func areasByTheRelease(_ sample: String) throws {
    let image = try Samples.image(sample)
    let noted = image.layout.areas
    #expect(noted.contains { $0.kind == .vmemmap && $0.start == 0xffff_fc00_0000_0000 })
    let memory = PatchedImage(image.memory)
    memory.notes = memory.notes.map { note in
      guard note.name == "VMCOREINFO" else { return note }
      let lines = String(decoding: note.bytes, as: UTF8.self).split(separator: "\n").filter {
        line in
        !["MODULES_", "VMALLOC_", "VMEMMAP_"].contains { line.contains($0) }
      }
      return ImageNote(
        name: note.name, type: note.type, bytes: Array((lines.joined(separator: "\n") + "\n").utf8),
        offset: note.offset)
    }
    let old = try KernelImage(memory)
    #expect(old.info?.number("MODULES_VADDR") == nil)
    #expect(old.layout.areas == noted)
  }

  /// By hand, from the macros of 5.10 and of 4.14, for 4K pages and 48 bits.
  @Test func areasOfOlderReleases() throws {
    func areas(_ release: String) throws -> [Area.Kind: ClosedRange<UInt64>] {
      let image = try Samples.image("61-4k48")
      let memory = PatchedImage(image.memory)
      memory.notes = memory.notes.map { note in
        guard note.name == "VMCOREINFO" else { return note }
        let lines = String(decoding: note.bytes, as: UTF8.self).split(separator: "\n").filter {
          line in
          !["MODULES_", "VMALLOC_", "VMEMMAP_", "OSRELEASE="].contains { line.contains($0) }
        }
        return ImageNote(
          name: note.name, type: note.type,
          bytes: Array("OSRELEASE=\(release)\n\(lines.joined(separator: "\n"))\n".utf8),
          offset: note.offset)
      }
      let layout = try KernelImage(memory).layout
      return Dictionary(
        layout.areas.map { ($0.kind, $0.start...$0.last) }, uniquingKeysWith: { one, _ in one })
    }
    let middle = try areas("5.10.0")
    #expect(middle[.directMap] == 0xffff_0000_0000_0000...0xffff_7fff_ffff_ffff)
    #expect(middle[.modules] == 0xffff_8000_0800_0000...0xffff_8000_0fff_ffff)
    #expect(middle[.vmalloc]?.upperBound == 0xffff_fdff_bffe_ffff)
    #expect(middle[.vmemmap] == 0xffff_fdff_ffe0_0000...0xffff_ffff_ffdf_ffff)
    #expect(middle[.pciPorts] == 0xffff_fdff_fec0_0000...0xffff_fdff_ffbf_ffff)
    let old = try areas("4.14.0")
    #expect(old[.directMap] == 0xffff_8000_0000_0000...UInt64.max)
    #expect(old[.modules] == 0xffff_0000_0000_0000...0xffff_0000_07ff_ffff)
    #expect(old[.vmemmap] == 0xffff_7e00_0000_0000...0xffff_7fff_ffff_ffff)
    #expect(old[.pciPorts]?.upperBound == 0xffff_7dff_ffdf_ffff)
  }

  /// A process's table has a half of its own, and no kernel in it.
  @Test func aProcessHasItsHalf() throws {
    let image = try Samples.image("612-4k52")
    let user = try #require(try roots("612-4k52")["user.txt"])
    #expect(image.mode(ofRoot: user).halves.count == 1)
    #expect(image.mode(ofRoot: image.root) == image.mode)
    #expect(image.walk(0x40_0000, root: user).physical != nil)
    #expect(image.walk(0x40_0000).end == .notPresent)
    // The kernel's half is the kernel's, whoever runs.
    let text = try #require(image.symbols?["_stext"])
    #expect(image.walk(text, root: user).physical == image.walk(text).physical)
  }

  /// A kdump's pages are the kernel's, or of the largest granule, as QEMU writes them.
  @Test(arguments: [("612-16k52", 1 << 14), ("612-4k52", 1 << 12)])
  func kdumpsHavePagesOfTheirOwnSize(_ sample: String, _ size: Int) throws {
    let whole = try Samples.image(sample)
    var options = Container.KdumpOptions()
    options.pageSize = size
    options.machine = "aarch64"
    var core = ELFCore()
    core.machine = .arm64
    core.notes = whole.memory.notes.filter { $0.name == "VMCOREINFO" }.map {
      ELFCore.Note(name: $0.name, type: $0.type, bytes: $0.bytes)
    }
    for range in whole.memory.ranges {
      for page in stride(from: range.lowerBound, to: range.upperBound, by: size) {
        core.add(page: try whole.memory.read(at: page, count: size), at: page)
      }
    }
    func image(_ options: Container.KdumpOptions) throws -> KernelImage {
      try Samples.withTemporaryFile { path in
        try Data(Container.kdump(core, options)).write(to: URL(filePath: path))
        return try KernelImage(ImageFile.open(path: path))
      }
    }
    let packed = try image(options)
    #expect(packed.memory.format == "kdump" && packed.root == whole.root)
    #expect(try text(packed) == Samples.text(sample, "kernel.txt"))
    // QEMU names no machine; the processor's registers tell it.
    if size == 4096 {
      options.machine = "Unknown"
      core.notes.insert(
        ELFCore.Note(name: "CORE", type: 1, bytes: [UInt8](repeating: 0, count: 392)), at: 0)
      #expect(try image(options).root == whole.root)
    }
    // No x86 has such pages.
    options.machine = "x86_64"
    if size != 4096 { #expect(throws: ImageError.self) { try image(options) } }
  }
}
