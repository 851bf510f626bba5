import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// Processes found through the task list, with types from BTF.
@Suite struct ProcessTests {
  /// BTF that tells the wanted fields: each structure's, one of them inside a nameless structure.
  private static let types: [UInt8] = {
    var strings: [UInt8] = [0]
    func name(_ text: String) -> UInt64 {
      defer { strings += Array(text.utf8) + [0] }
      return UInt64(strings.count)
    }
    var body: [UInt8] = []
    func put(_ values: [UInt64]) { for value in values { body.append(value, size: 4) } }
    // 1: int. 2: struct { pgd } without a name. 3: mm_struct around it. 4: task_struct.
    put([name("int"), 1 << 24, 4, 32])
    put([0, 4 << 24 | 1, 8, name("pgd"), 1, 0])
    put([name("mm_struct"), 4 << 24 | 1, 0x48, 0, 2, 0x40 * 8])
    put([
      name("task_struct"), 4 << 24 | 4, 0x200, name("tasks"), 1, 0x20 * 8, name("mm"), 1,
      0x30 * 8, name("pid"), 1, 0x40 * 8, name("comm"), 1, 0x50 * 8,
    ])
    var blob: [UInt8] = [0x9f, 0xeb, 1, 0]
    for value in [24, 0, UInt64(body.count), UInt64(body.count), UInt64(strings.count)] {
      blob.append(value, size: 4)
    }
    return blob + body + strings
  }()

  private static let directMap: UInt64 = 0xffff_8880_0000_0000

  /// Three tasks in a ring: a kernel thread, and two with an address space.
  private func image(nextOfLast: UInt64) throws -> KernelImage {
    var writer = ImageWriter(root: 0x2000)
    // The direct map's first 2 MiB, and the kernel image, one page at 0xffffffff81000000.
    writer.table(0x2000, [273: 0x3063, 511: 0x5063])
    writer.table(0x3000, [0: 0x4063])
    writer.table(0x4000, [0: 0x8000_0000_0000_01e3])
    writer.table(0x5000, [510: 0x6063])
    writer.table(0x6000, [8: 0x7063])
    writer.table(0x7000, [0: 0x1_0163])
    func task(
      _ at: UInt64, next: UInt64, mm: UInt64, pid: UInt64, name: String
    ) {
      var words: [Int: UInt64] = [4: next &+ 0x20, 6: mm, 8: pid]
      for (index, byte) in name.utf8.enumerated() {
        words[10, default: 0] |= UInt64(byte) << UInt64(8 * index)
      }
      writer.table(at, words)
    }
    let map = Self.directMap
    let first: UInt64 = 0xffff_ffff_8100_0000
    task(0x1_0000, next: map + 0x1_1000, mm: 0, pid: 0, name: "swapper")
    task(0x1_1000, next: map + 0x1_2000, mm: map + 0x1_3000, pid: 1, name: "init")
    task(0x1_2000, next: nextOfLast, mm: map + 0x1_4000, pid: 77, name: "sleep")
    writer.table(0x1_3000, [8: map + 0x1_5000])
    writer.table(0x1_4000, [8: map + 0x1_6000])
    let symbols = Symbols(
      [(name: "_text", address: first), (name: "init_task", address: first)], source: "declared")
    return try Samples.withTemporaryFile { path in
      try writer.write(to: path)
      return try KernelImage(ImageFile.open(path: path), symbols: [symbols])
    }
  }

  @Test func tasksWithAnAddressSpaceOfTheirOwn() throws {
    let types = try #require(KernelTypes.btf(Self.types, source: "declared"))
    #expect(types["mm_struct.pgd"] == 0x40)
    #expect(types["task_struct.comm"] == 0x50)
    let image = try image(nextOfLast: 0xffff_ffff_8100_0000)
    #expect(image.problems == [])
    #expect(
      try image.processes(types) == [
        KernelProcess(pid: 1, name: "init", root: 0x1_5000),
        KernelProcess(pid: 77, name: "sleep", root: 0x1_6000),
      ])
  }

  @Test func aBrokenRingIsSaid() throws {
    let types = try #require(KernelTypes.btf(Self.types, source: "declared"))
    // It leads back to the second task, and to where no memory is.
    for next in [Self.directMap + 0x1_1000, Self.directMap + 0x10_0000] {
      let image = try image(nextOfLast: next)
      #expect(throws: ImageError.self) { try image.processes(types) }
    }
  }

  @Test func withoutTypesTheMissingOptionIsNamed() throws {
    let image = try image(nextOfLast: 0xffff_ffff_8100_0000)
    let error = try #require(throws: ImageError.self) { try image.processes(nil) }
    #expect(error.description.contains("--symbols"))
    #expect(KernelTypes.btf([1, 2, 3], source: "declared") == nil)
  }
}
