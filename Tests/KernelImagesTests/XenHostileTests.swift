import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// Whatever a Xen PV guest's lists say, reading them ends, and takes no more than the file warrants.
@Suite(.serialized) struct XenHostileTests {
  /// PT013's guest: its list (p2m) is a page at 0x10a000, which the tables at 0x107000 to 0x109000
  /// lead to; Xen's list lies at 0x113000, below the tables at 0x110000 to 0x112000.
  private static func memory() throws -> PatchedImage {
    let file = Samples.root.appending(path: "samples/rules/PT013/silent.tables")
    let tables = try DeclaredTables(String(contentsOf: file, encoding: .utf8))
    return try Samples.withTemporaryFile { path in
      try tables.image.write(to: path)
      return PatchedImage(try ImageFile.open(path: path))
    }
  }

  private static let most: UInt64 = 1 << 20

  private static func frames(_ image: KernelImage) -> UInt64 {
    image.memory.ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound + 1) >> 12 }
  }

  /// All that reads a list.
  private static func readAll(_ memory: PatchedImage) -> KernelImage? {
    guard let image = try? KernelImage(memory) else { return nil }
    _ = image.guest?.disagreements(most: 3)
    _ = image.space()
    _ = Extract.make(image, keepLog: false)
    return image
  }

  /// 2^27 pages of the list that are one page.
  @Test func aListThatLeadsToItselfEnds() throws {
    for entry in [.max, 0, 0x100, 1 << 62, 1 << 63 | 0x100] as [UInt64] {
      let memory = try Self.memory()
      for table in [0x10_7000, 0x10_8000, 0x10_9000] as [UInt64] {
        let next = [UInt64](repeating: table + 0x1067, count: 512)
        memory.set(page: next, at: table)
      }
      memory.set(page: [UInt64](repeating: entry, count: 512), at: 0x10_a000)
      let image = try #require(Self.readAll(memory))
      #expect(image.guest == nil)
    }
  }

  /// A list whose tables are its own pages.
  @Test func aListOfTablesEnds() throws {
    let memory = try Self.memory()
    for table in [0x10_7000, 0x10_8000, 0x10_9000] as [UInt64] {
      memory.set(page: [UInt64](repeating: 0x10_7067, count: 512), at: table)
    }
    #expect(try #require(Self.readAll(memory)).guest == nil)
  }

  /// A list without one of Xen's to compare it with: each page names frames that nothing holds.
  @Test func aListTakesNoMoreThanTheFileWarrants() throws {
    let memory = try Self.memory()
    // Xen's list is gone.
    memory.set(page: [UInt64](repeating: 0, count: 512), at: 0x11_0000)
    var pages: [UInt64] = []
    for number in 0..<UInt64(1000) {
      let place = 0x100_0000 + number << 12
      memory.set(page: (0..<512).map { UInt64(1 << 30) | number << 9 | $0 }, at: place)
      pages.append(place)
    }
    // Frames of the guest's tables are found by their own page alone.
    for first in 0..<2 {
      let table = 0x200_0000 + UInt64(first) << 12
      var entries = pages[(first * 500)...].prefix(500).map { $0 | 0x67 }
      entries += [UInt64](repeating: entries[0], count: 512 - entries.count)
      memory.set(page: entries, at: table)
      try memory.set(table | 0x67, at: first + 1, of: 0x10_8000)
    }
    let image = try #require(Self.readAll(memory))
    #expect(image.guest != nil && Self.frames(image) <= Self.most)
    #expect(Self.frames(image) >= 16)
  }

  /// An extract's note of the guest's frames; where it claims more than the file warrants, the guest's
  /// own list is read.
  @Test func anExtractsListIsNotTrusted() throws {
    func frames(_ lines: String...) throws -> UInt64 {
      let memory = try Self.memory()
      let notes = [(7, "0x102000"), (10, lines.joined(separator: "\n"))] as [(UInt32, String)]
      memory.notes = notes.map {
        ImageNote(name: "PTDUMPLINT", type: $0, bytes: Array($1.utf8), offset: 0)
      }
      let image = try #require(Self.readAll(memory))
      #expect(image.guest != nil)
      return Self.frames(image)
    }
    #expect(try frames("0x0 0x100 0xc") == 12)
    #expect(try frames("0x0 0x100 0xffffffff") == 16)
    #expect(try frames("0x0 0x100 0x10", "0x20 0x200 0x20000000") == 16)
    #expect(try frames("0x0 0x100 0xc", "0x4 0x200 0x2") == 12)
    #expect(try frames("0xffffffffffffffff 0x100 0x2", "0x0 0x100") == 16)
  }

  private static let hostile: [UInt64] = [
    0, .max, 1, 1 << 63, 1 << 62, 1 << 40, 1 << 40 - 1, (1 << 52 - 1) & ~4095 | 0x67,
    1 << 51 | 0x67,
    0x10_2067, 0x10_7067, 0x10_8067, 0x10_9067, 0x10_a067, 0x11_0067, 0x11_30e7,
    0x80_0000_0010_2063,
    0x10_2063,
  ]

  /// Values of the worst kind at any place of the tables and lists.
  @Test func noValueOfAListIsTrusted() throws {
    var generator = SeededGenerator(19)
    let places: [UInt64] = [
      0x10_2000, 0x10_7000, 0x10_8000, 0x10_9000, 0x10_a000, 0x11_0000, 0x11_1000, 0x11_2000,
      0x11_3000,
    ]
    var guests = 0
    let memory = try Self.memory()
    for _ in 0..<60 {
      memory.reset()
      for _ in 0..<Int.random(in: 1...12, using: &generator) {
        let place = places.randomElement(using: &generator) ?? 0
        let index =
          [0, 1, 2, 15, 16, 256, 258, 260, 271, 273, 402, 511].randomElement(using: &generator) ?? 0
        let value =
          Bool.random(using: &generator)
          ? Self.hostile.randomElement(using: &generator) ?? 0 : generator.next()
        if place != 0x10_2000 || index != 258 { try memory.set(value, at: index, of: place) }
      }
      guard let image = Self.readAll(memory) else { continue }
      if image.guest != nil { guests += 1 }
      #expect(Self.frames(image) <= Self.most)
    }
    // Most edits leave a guest to read.
    #expect(guests > 12)
  }
}
