import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// A Xen PV guest's memory: by the machine's numbers in the file, by the guest's own to all that reads it.
@Suite struct XenTests {
  private static func tables(_ rule: String, _ name: String) throws -> DeclaredTables {
    let file = Samples.root.appending(path: "samples/rules/\(rule)/\(name).tables")
    return try DeclaredTables(String(contentsOf: file, encoding: .utf8))
  }

  private static func image(
    _ tables: DeclaredTables, _ check: (KernelImage) throws -> Void
  ) throws {
    try Samples.withTemporaryFile { path in
      try tables.image.write(to: path)
      try check(try KernelImage(ImageFile.open(path: path)))
    }
  }

  @Test func aGuestIsReadByItsOwnFrames() throws {
    try Self.image(try Self.tables("PT013", "silent")) { image in
      #expect(image.facts.xen?.value == true)
      #expect(image.facts.domain?.value == "domU (PV)")
      #expect(image.facts.pti?.value == false)
      #expect(image.root == 0x2000)
      #expect(image.facts.directMap?.value == 0xffff_8880_0000_0000)
      #expect(image.memory.ranges == [0...0xffff])
      // The machine has it at 0x103000.
      #expect(image.walk(0xffff_8880_0000_3000).physical == 0x3000)
      // Xen's slots are not the kernel's.
      #expect(image.walk(0xffff_8100_0000_0000).physical == nil)
      #expect(image.guest?.tables.map(\.address) == [0x2000])
      #expect(image.guest?.tables.first?.isUsers == false)
      #expect(image.guest?.disagreements(most: 9)?.count == 0)
    }
  }

  @Test func listsThatDisagreeAreCounted() throws {
    try Self.image(try Self.tables("PT610", "fires")) { image in
      let found = try #require(image.guest?.disagreements(most: 9))
      #expect(found.count == 1)
      let first = try #require(found.first.first)
      #expect(first.own == 0xc000 && first.machine == 0x10c000 && first.listed == 13)
    }
  }

  /// An extract holds the machine's pages, and reads as what it was made of.
  @Test func anExtractIsReadAlike() throws {
    try Self.image(try Self.tables("PT610", "fires")) { image in
      try Samples.withTemporaryFile { path in
        try Data(Extract.make(image, keepLog: true)).write(to: URL(filePath: path))
        let extract = try KernelImage(ImageFile.open(path: path))
        #expect(extract.root == image.root && extract.problems == [])
        #expect(extract.space().runs == image.space().runs)
        #expect(extract.guest?.disagreements(most: 9)?.count == 1)
        #expect(extract.facts.domain == image.facts.domain)
      }
    }
  }

  /// The fixture's memory with other notes, or with a processor's CR3 elsewhere.
  private static func guest(
    _ edit: (String) -> String = { $0 }, notes: [ImageNote]? = nil
  ) throws -> KernelImage {
    let file = Samples.root.appending(path: "samples/rules/PT013/silent.tables")
    let text = edit(try String(contentsOf: file, encoding: .utf8))
    return try Samples.withTemporaryFile { path in
      try DeclaredTables(text).image.write(to: path)
      let memory = PatchedImage(try ImageFile.open(path: path))
      if let notes { memory.notes = notes }
      return try KernelImage(memory)
    }
  }

  /// Xen's own kdump tells of itself; a file without any note is searched as well.
  @Test func aGuestIsFoundByXensNotesOrWithoutAny() throws {
    let version: [UInt8] = [4, 0, 0, 0, 0, 0, 0, 0, 17]
    let crash = ImageNote(
      name: "Xen", type: 0x100_0001, bytes: version + [UInt8](repeating: 0, count: 71), offset: 0)
    for notes in [[crash], []] {
      let image = try Self.guest(notes: notes)
      #expect(image.root == 0x2000 && image.guest != nil)
      #expect(image.facts.hypervisor?.value == (notes.isEmpty ? "Xen" : "Xen 4.17"))
      #expect(image.facts.root?.source.contains("maps no program") == true)
    }
  }

  /// With XPTI the processor's table is a copy of Xen's own, which does not lead to itself, and
  /// programs' tables lack Xen's list.
  @Test func copiesAndProgramsTablesAreToldApart() throws {
    let image = try Self.guest { text in
      text.replacing(
        "root 0x102000",
        with: """
          root 0x120000
          table 0x120000
            260: 0x8000000000114063
            261: 0x115063
            262: 0x8000000000116063
          table 0x10e000
            258: 0x800000000010e063
            511: 0x10f067
          """)
    }
    #expect(image.root == 0x2000)
    let tables = try #require(image.guest?.tables)
    #expect(tables.map(\.address) == [0x2000, 0xe000])
    #expect(tables.map(\.isUsers) == [false, true])
    // The machine's own pages are found by bit 51, where the guest has one of the same number.
    var table = [UInt64](repeating: 0, count: 512)
    try image.memory.readTable(at: 1 << 51 | 0x12_0000, into: &table)
    #expect(table[261] == 0x11_5063)
  }

  /// Another domain's list in the same memory: the one with devices is dom0.
  @Test func dom0IsTheOneWithDevices() throws {
    let image = try Self.guest {
      $0.replacing("  20: 0xffffffffffffffff", with: "  20: 0x4000000000000014")
    }
    #expect(image.facts.domain?.value == "dom0 (PV)")
    #expect(image.memory.ranges == [0...0xffff])
  }

  // MARK: - xl dump-core

  /// The guest of PT013's tables as `xl dump-core` writes it.
  ///
  /// - Parameter isPV: whether the machine's frames are told; an HVM guest's tables hold its own.
  private static func core(isPV: Bool) throws -> [UInt8] {
    var pages: [UInt8] = []
    var list: [UInt8] = []
    func add(_ value: UInt64, to bytes: inout [UInt8]) {
      for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))) }
    }
    try image(try tables("PT013", "silent")) { image in
      for own in UInt64(0)..<16 {
        add(own, to: &list)
        if isPV { add(0x100 + own, to: &list) }
        var table = [UInt64](repeating: 0, count: 512)
        if !isPV, (try? image.memory.readTable(at: own << 12, into: &table)) != nil {
          for entry in table { add(entry, to: &pages) }
        } else {
          pages +=
            (try? image.guest?.memory.read(at: own << 12, count: 4096))
            ?? [UInt8](repeating: 0, count: 4096)
        }
      }
    }
    // CR3 of the only processor: an HVM guest's own address.
    var registers = [UInt8](repeating: 0, count: 5168)
    registers[520] = 0x5a
    registers[4984 + 24 + 1] = 0x20
    registers[4984 + 32] = 0xa0
    return sections([
      (".note.Xen", versionNote), (".xen_prstatus", registers),
      (isPV ? ".xen_p2m" : ".xen_pfn", list), (".xen_pages", pages),
    ])
  }

  /// The version of Xen, as `xl dump-core` notes it: two numbers and what follows them.
  private static var versionNote: [UInt8] {
    var version = [UInt8](repeating: 0, count: 1280)
    (version[0], version[8]) = (4, 17)
    version.replaceSubrange(16..<18, with: Array(".5".utf8))
    return [4, 0, 0, 0, 0, 5, 0, 0, 2, 0, 0, 2] + Array("Xen\0".utf8) + version
  }

  /// A core of x86-64 without program headers.
  private static func sections(_ parts: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var names = Array("\0.shstrtab\0".utf8)
    var data: [UInt8] = []
    var headers: [[UInt64]] = [[0, 0, 0, 0], [1, 3, 0, 0]]
    for part in parts {
      headers.append([UInt64(names.count), 1, UInt64(64 + data.count), UInt64(part.bytes.count)])
      names += Array(part.name.utf8) + [0]
      data += part.bytes
    }
    headers[1] = [1, 3, UInt64(64 + data.count), UInt64(names.count)]
    data += names + [UInt8](repeating: 0, count: 8 - names.count % 8)
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    func add(_ value: UInt64, _ size: Int) {
      for byte in 0..<size { file.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte))) }
    }
    for (value, size) in [
      (4, 2), (62, 2), (1, 4), (0, 8), (0, 8), (UInt64(64 + data.count), 8), (0, 4), (64, 2),
      (56, 2), (0, 2), (64, 2), (UInt64(headers.count), 2), (1, 2),
    ] as [(UInt64, Int)] { add(value, size) }
    file += data
    for header in headers {
      add(header[0], 4)
      add(header[1], 4)
      for value in [0, 0, header[2], header[3], 0, 1, 0] { add(value, 8) }
    }
    return file
  }

  private static func read(
    _ core: [UInt8], _ check: (any MemoryImage, KernelImage) throws -> Void
  ) throws {
    try Samples.withTemporaryFile { path in
      try Data(core).write(to: URL(filePath: path))
      let memory = try ImageFile.open(path: path)
      try check(memory, try KernelImage(memory))
    }
  }

  @Test func aDumpedPVGuestIsRead() throws {
    try Self.read(try Self.core(isPV: true)) { memory, image in
      #expect(memory.format == "xen-core" && memory.damage == [])
      #expect(memory.ranges == [0x10_0000...0x10_ffff])
      #expect(image.facts.domain?.value == "domU (PV)" && image.root == 0x2000)
      #expect(image.facts.hypervisor == Fact("Xen 4.17.5", "its note"))
      try Self.image(try Self.tables("PT013", "silent")) {
        #expect(image.space().runs == $0.space().runs)
      }
      let lists = try #require(image.guest?.disagreements(most: 9))
      #expect(lists.isGuests && lists.count == 0)
    }
  }

  /// Made up: no such guest was captured.
  @Test func aDumpedHVMGuestIsJudgedAsANativeKernel() throws {
    try Self.read(try Self.core(isPV: false)) { memory, image in
      #expect(memory.format == "xen-core" && memory.ranges == [0...0xffff])
      #expect(image.guest == nil && image.facts.xen?.value == false)
      #expect(image.facts.domain?.value == "domU (HVM or PVH)")
      #expect(image.facts.hypervisor?.value == "Xen 4.17.5")
      #expect(image.root == 0x2000)
      #expect(image.walk(0xffff_8880_0000_3000).physical == 0x3000)
    }
  }

  /// What the file alone tells of the guest goes into an extract: its list of frames, Xen's version, and
  /// an HVM guest's registers without the others.
  @Test(arguments: [true, false]) func anExtractOfADumpedGuestIsReadAlike(isPV: Bool) throws {
    try Self.read(try Self.core(isPV: isPV)) { memory, image in
      let extract = Extract.make(image, keepLog: true)
      try Self.read(extract) { kept, again in
        #expect(kept.format == "elf-core" && again.problems == [])
        #expect(again.root == image.root && again.space().runs == image.space().runs)
        #expect(again.facts.domain == image.facts.domain)
        #expect(again.facts.hypervisor == image.facts.hypervisor)
        #expect((again.guest != nil) == isPV)
        let lists = again.guest?.disagreements(most: 9)
        #expect(lists == image.guest?.disagreements(most: 9) && lists?.isGuests ?? isPV == isPV)
        let registers = try #require(kept.notes.first { $0.name == ".xen_prstatus" })
        #expect(registers.bytes[..<4984].allSatisfy { $0 == 0 })
        #expect(registers.bytes[4984 + 25] == 0x20)
      }
    }
  }

  /// A page without a number fills the file up; any other number that no frame has is damage.
  @Test func aListThatIsDamagedSaysSo() throws {
    var core = try Self.core(isPV: true)
    let list = 64 + Self.versionNote.count + 5168
    for (byte, damage) in [(0xfe, 1), (0xff, 0)] as [(UInt8, Int)] {
      core.replaceSubrange(list..<(list + 8), with: [UInt8](repeating: byte, count: 8))
      try Self.read(core) { memory, image in
        #expect(memory.damage.count { $0.contains("1 pages of the list") } == damage)
        #expect(image.memory.ranges == [0x1000...0xffff])
      }
    }
  }
}
