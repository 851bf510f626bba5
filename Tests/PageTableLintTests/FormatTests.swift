import KernelText
import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// One memory in each container: the same findings, and the same dump to the byte.
@Suite struct FormatTests {
  static let samples = ["healthy", "writable-executable"]

  /// What must not depend on the container.
  struct Answer: Equatable {
    var findings: [String]
    var dump: [UInt8]
    var isIncomplete: Bool
  }

  static func answer(_ memory: any MemoryImage) throws -> Answer {
    let subject = Subject(image: try KernelImage(memory))
    let report = Linter.run(subject)
    return Answer(
      findings: report.findings.map {
        "\($0.rule.id) \($0.start) \($0.end) \($0.pages) \($0.message)"
      },
      dump: Array(try KernelReport.text(subject.kernel, of: subject).text.bytes),
      isIncomplete: report.isIncomplete)
  }

  static func answer(_ contents: [[UInt8]]) throws -> Answer {
    try withFiles(contents) { try answer(ImageFile.open(paths: $0)) }
  }

  /// Calls `body` with the paths of files, and removes them.
  static func withFiles<Result>(
    _ contents: [[UInt8]], _ body: ([String]) throws -> Result
  ) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-formats-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var paths: [String] = []
    for (index, bytes) in contents.enumerated() {
      let file = folder.appending(path: "input\(index)")
      try Data(bytes).write(to: file)
      paths.append(file.path)
    }
    return try body(paths)
  }

  private func core(_ sample: String) throws -> ELFCore {
    try RawImage.core(Samples.image(sample), .qemu)
  }

  /// The answer that the plain ELF core gives, which is no empty one.
  private func expected(_ core: ELFCore) throws -> Answer {
    let answer = try Self.answer([core.encoded()])
    #expect(answer.dump.count > 1000 && !answer.isIncomplete)
    return answer
  }

  @Test(arguments: samples) func kdump(_ sample: String) throws {
    let core = try core(sample)
    let expected = try expected(core)
    var shared = Container.KdumpOptions()
    shared.dumpLevel = 31
    shared.sharesZeros = true
    for bytes in [Container.kdump(core), Container.kdump(core, shared)] {
      #expect(try Self.answer([bytes]) == expected)
      #expect(try Self.answer([Container.flattened(bytes)]) == expected)
    }
    #expect(try Self.answer([Container.flattened(core.encoded())]) == expected)
  }

  @Test(arguments: samples) func splitInAnyOrder(_ sample: String) throws {
    let core = try core(sample)
    let expected = try expected(core)
    let count = Container.pageCount(core)
    let root = Int(try Samples.image(sample).root / 4096)
    let parts = [0..<root, root..<(root + 1), (root + 1)..<count].map { pages in
      var options = Container.KdumpOptions()
      options.part = pages
      return Container.kdump(core, options)
    }
    #expect(try Self.answer(parts) == expected)
    #expect(try Self.answer([parts[2], parts[0], parts[1]]) == expected)
    // One that comes twice is one.
    #expect(try Self.answer([parts[2], parts[0], parts[1], parts[0]]) == expected)
    try Self.withFiles(parts + [Container.kdump(core), parts[1]]) { paths in
      let groups = ImageFile.grouped(try paths.map { try ImageFile.content(path: $0) })
      #expect(groups.map(\.count) == [4, 1])
    }
    // The part with the top table is what the rest cannot do without; the last part can be.
    try Self.withFiles([parts[0], parts[1]]) { paths in
      let image = try KernelImage(ImageFile.open(paths: paths))
      #expect(image.problems.contains { $0.contains("is missing: give all parts") })
      #expect(Linter.run(Subject(image: image)).isIncomplete)
    }
  }

  @Test func absentPages() throws {
    let core = try core("healthy")
    // A table of the direct map: left out, it is unknown, or zero where the dump drops zeros.
    let image = try Samples.image("healthy")
    let start = try #require(image.facts.directMap?.value)
    let table = try #require(image.walk(start).steps.last).table
    func memory(_ level: UInt64, shares: Bool) throws -> (KernelImage, Linter.Report) {
      var options = Container.KdumpOptions()
      options.dumpLevel = level
      options.sharesZeros = shares
      options.leavesOut = [table]
      // Two pages of zeros, which a dump that shares them holds once.
      var core = core
      let last = core.segments[core.segments.count - 1]
      core.add(page: [UInt8](repeating: 0, count: 4096), at: last.physical + last.size)
      core.add(page: [UInt8](repeating: 0, count: 4096), at: last.physical + last.size + 4096)
      return try Self.withFiles([Container.kdump(core, options)]) { paths in
        let image = try KernelImage(ImageFile.open(paths: paths))
        return (image, Linter.run(Subject(image: image)))
      }
    }
    for (level, shares) in [(UInt64(0), false), (30, false), (31, true), (31, false)] {
      let (image, report) = try memory(level, shares: shares)
      #expect(report.isIncomplete)
      #expect(report.subject.tablesTakenForZero == 0)
      #expect(throws: UnreadableMemory.notInImage) { try image.memory.read(at: table, count: 8) }
    }
    // At other levels a page may be absent for another reason.
    let (zero, report) = try memory(1, shares: false)
    #expect(zero.problems == [])
    #expect(!report.isIncomplete)
    #expect(report.subject.tablesTakenForZero == 1)
    let text = TextReport.info(report.subject)
    #expect(text.contains("tables taken for zero: 1") && text.contains("dump level: 1\n"))
    let json = try JSONReport.info(report.subject)
    #expect(json.contains("\"tablesTakenForZero\" : 1") && json.contains("\"dumpLevel\" : 1"))
    #expect(throws: UnreadableMemory.outsideMemory) { try zero.memory.read(at: 1 << 50, count: 8) }
  }

  /// User halves are read several at a time, through one reader of the file.
  @Test func manyProcesses() throws {
    let sample = try Samples.image("healthy")
    let own = try #require(sample.cpus.first).cr3 & ~0xfff
    let core = try core("healthy")
    for bytes in [core.encoded(), Container.kdump(core)] {
      try Self.withFiles([bytes]) { paths in
        let image = try KernelImage(ImageFile.open(paths: paths))
        let processes = (0..<150).map {
          KernelProcess(pid: $0, name: "x", root: $0 % 2 == 0 ? own : image.root)
        }
        var subject = Subject(image: image, roots: [(id: .kernel, address: image.root)])
        subject.add(processes)
        #expect(subject.tables.dropFirst().map(\.name) == processes.map(\.label))
        let expected = [own, image.root].map { image.space(root: $0, userHalfOnly: true).runs }
        #expect(expected[0].count > 10 && expected[0] != expected[1])
        for (index, table) in subject.tables.dropFirst().enumerated() {
          #expect(table.space.runs == expected[index % 2])
        }
      }
    }
  }

  @Test func flattenedWithoutItsEnd() throws {
    let core = try core("healthy")
    let stream = Container.flattened(Container.kdump(core), ends: false)
    try Self.withFiles([stream]) { paths in
      let image = try KernelImage(ImageFile.open(paths: paths))
      #expect(image.problems.contains { $0.contains("without an end record") })
    }
  }

  @Test(arguments: samples) func memoryWithoutNotes(_ sample: String) throws {
    let core = Container.withNoteInMemory(try core(sample))
    let expected = try expected(core)
    #expect(try Self.answer([Container.lime(core)]) == expected)
    #expect(try Self.answer([Container.avml(core)]) == expected)
    try Samples.withTemporaryFile { path in
      let base = try Container.writeRaw(core, to: path)
      #expect(try Self.answer(ImageFile.open(path: path, base: base)) == expected)
      #expect(throws: ImageError.self) { try ImageFile.open(path: path) }
    }
  }

  @Test func aDamagedFrameIsUnknown() throws {
    let core = Container.withNoteInMemory(try core("healthy"))
    var bytes = Container.avml(core)
    // Several: a copy of zeros from elsewhere are zeros, too.
    for index in (bytes.count - 100)..<(bytes.count - 90) { bytes[index] ^= 1 }
    let segment = try #require(core.segments.last)
    try Self.withFiles([bytes]) { paths in
      let image = try ImageFile.open(paths: paths)
      #expect(image.format == "avml")
      #expect(throws: UnreadableMemory.notInImage) {
        try image.read(at: segment.physical + segment.size - 4096, count: 4096)
      }
    }
  }

  @Test(arguments: ["gzip", "xz", "zstd"]) func packed(_ program: String) throws {
    let core = try core("healthy")
    let expected = try expected(core)
    try Self.withFiles([Container.kdump(core)]) { paths in
      let packed = try Samples.run(["sh", "-c", "\(program) -c < \(paths[0])"]).output
      #expect(try Self.answer([[UInt8](packed)]) == expected)
      let half = [UInt8](packed.prefix(packed.count / 2))
      try Self.withFiles([half]) { paths in
        let file = try ImageFile.content(path: paths[0])
        #expect(file.damage.contains { $0.contains("cut off or damaged") })
      }
    }
  }

  /// However many of an ELF file's segments its end cuts off.
  @Test func aFilesEndIsSaidOnce() throws {
    let whole = try Data(contentsOf: URL(filePath: Samples.path("healthy", "memory.elf")))
    try Self.withFiles([[UInt8](whole.prefix(whole.count / 2))]) { paths in
      let said = try ImageFile.open(path: paths[0]).damage.filter {
        $0.contains("the file ends at")
      }
      #expect(said.count == 1 && said[0].contains(/segments cut off: ([2-9]|1[0-9])$/))
    }
  }

  @Test func manySegments() throws {
    var core = try core("healthy")
    let expected = try expected(core)
    let start = Container.pageCount(core) * 4096
    for index in 0..<70_000 {
      core.segments.append(
        ELFCore.Segment(
          physical: UInt64(start + 8192 * index), bytes: [UInt8](repeating: 0, count: 8)))
    }
    try Self.withFiles([core.encoded()]) { paths in
      let image = try ImageFile.open(paths: paths)
      #expect(image.damage == [])
      #expect(image.ranges.count > 70_000)
      #expect(try Self.answer(image) == expected)
    }
  }

  @Test(arguments: [
    (0, Array("QEVM".utf8), "dump-guest-memory"),
    (0, Array("LibvirtQemudSave".utf8), "--memory-only"),
    (0, Array("LibvirtQemudPart".utf8), "--memory-only"),
    (0, Array("DISKDUMP".utf8), "makedumpfile -d 0"),
    (0, [0xed, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8], "crash"),
    (4086, Array("S1SUSPEND".utf8), "LiME"),
  ])
  func refusals(_ offset: Int, _ magic: [UInt8], _ advice: String) throws {
    var bytes = [UInt8](repeating: 0, count: 8192)
    bytes.replaceSubrange(offset..<(offset + magic.count), with: magic)
    try Self.withFiles([bytes]) { paths in
      let error = #expect(throws: ImageError.self) {
        try ImageFile.open(paths: paths, base: 0)
      }
      #expect(error?.advice.contains(advice) == true)
    }
  }

  /// `xl dump-core` writes sections and no program headers; XenTests read whole ones.
  @Test func xenWithoutItsListIsRefused() throws {
    let names = Array("\0.shstrtab\0.xen_pages\0".utf8)
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    // e_type to e_shstrndx: a core of x86-64 with three section headers behind the names.
    for (value, size) in [
      (4, 2), (62, 2), (1, 4), (0, 8), (0, 8), (96, 8), (0, 4), (64, 2), (56, 2), (0, 2), (64, 2),
      (3, 2), (1, 2),
    ] as [(UInt64, Int)] {
      file.append(value, size: size)
    }
    file += names + [UInt8](repeating: 0, count: 32 - names.count)
    func section(_ name: UInt64, type: UInt64, at offset: UInt64, size: UInt64) {
      file.append(name, size: 4)
      file.append(type, size: 4)
      for value in [0, 0, offset, size, 0, 1, 0] { file.append(value, size: 8) }
    }
    section(0, type: 0, at: 0, size: 0)
    section(1, type: 3, at: 64, size: UInt64(names.count))
    section(11, type: 1, at: 0, size: 0)
    try Self.withFiles([file]) { paths in
      let error = #expect(throws: ImageError.self) { try ImageFile.open(paths: paths) }
      #expect(error?.description.contains("without a list of its pages") == true)
      #expect(error?.advice.contains("xl dump-core") == true)
    }
  }
}
