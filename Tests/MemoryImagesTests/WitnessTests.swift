import Foundation
import MemoryImages
import PageTables
import Support
import Testing

/// QEMU walked the same tables at the same moment: each of its leaves must be ours.
@Suite struct WitnessTests {
  @Test(arguments: Samples.all)
  func everyLeafIsQEMUs(_ sample: String) throws {
    let image = try Samples.image(sample)
    let cpu = try #require(image.cpus.first)
    let space = image.space(root: cpu.cr3 & 0x000f_ffff_ffff_e000)
    let mode = image.mode
    let packed = try Samples.run(["gzip", "-dc", Samples.path(sample, "tlb.txt.gz")])
    #expect(packed.status == 0)
    // One line a leaf: ADDRESS: PHYSICAL XGPDACTUW, a dash for a clear bit.
    let letters: [(offset: Int, mask: UInt64)] = [
      (0, 1 << 63), (1, 1 << 8), (2, 1 << 7), (3, 1 << 6), (4, 1 << 5), (5, 1 << 4), (6, 1 << 3),
      (7, 1 << 2), (8, 1 << 1),
    ]
    var expected = 0
    var leaves = 0
    for run in space.runs where run.isLeaf {
      let span = mode.level(Int(run.level)).span
      leaves += Int(run.size / span)
    }
    for line in packed.output.split(separator: 10) {
      guard line.count == 44 else {
        Issue.record("unexpected line of \(line.count) bytes")
        return
      }
      let bytes = Array(line)
      let address = try #require(UInt64(String(decoding: bytes[0..<16], as: UTF8.self), radix: 16))
      let physical = try #require(
        UInt64(String(decoding: bytes[18..<34], as: UTF8.self), radix: 16))
      var flags: UInt64 = 0
      for letter in letters where bytes[35 + letter.offset] != 0x2d { flags |= letter.mask }
      expected += 1
      let run = try #require(space.run(at: address), "no run at \(address.address)")
      let span = mode.level(Int(run.level)).span
      // QEMU masks the PSE bit of a 4K entry (PAT there).
      let mask = letters.reduce(UInt64(0)) { $0 | $1.mask } & ~(run.level == 1 ? 1 << 7 : 0)
      guard run.isLeaf, run.physical(of: address, span: span) == physical,
        run.flags & mask == flags & mask, address & (span - 1) == 0
      else {
        Issue.record("\(address.address): \(run) but QEMU says \(physical.entry) \(flags.entry)")
        return
      }
    }
    #expect(leaves == expected)
    #expect(expected > 1000)
  }

  @Test(arguments: Samples.all)
  func statisticsAreTheKernels(_ sample: String) throws {
    let image = try Samples.image(sample)
    #expect(image.problems == [])
    #expect(image.facts.release?.value == "6.12.117")
    #expect(image.facts.pti?.value == sample.hasSuffix("pti"))
    #expect(image.facts.nx?.value == true)
    #expect(image.mode.levels.count == (sample == "healthy-5level" ? 5 : 4))
    #expect(image.walk(try #require(image.symbols?["init_top_pgt"])).physical == image.root)
    #expect(image.owner(ofTable: image.root) == "init_top_pgt")
  }

  @Test(arguments: Samples.all)
  func logIsTheCapturedOne(_ sample: String) throws {
    let image = try Samples.image(sample)
    let captured = try Samples.text(sample, "kernel.log").split(separator: "\n").map {
      // klogctl prints a level before each line.
      $0.drop { $0 != ">" }.dropFirst()
    }
    let own = Set((try #require(image.log)).value.split(separator: "\n"))
    let missing = captured.filter { !own.contains($0) }
    #expect(captured.count > 100)
    #expect(missing.isEmpty, "\(missing.prefix(3))")
  }

  @Test func extractHoldsNoUserMemory() throws {
    // The capture's init fills a page of its own with this text; the README of the laboratory
    // tells how to look for it in the whole image.
    let marker = Data("PTDUMP-LINT-USER-MEMORY-MARKER".utf8)
    for sample in Samples.all {
      let bytes = try Data(contentsOf: URL(filePath: Samples.path(sample, "memory.elf")))
      #expect(bytes.range(of: marker) == nil)
      #expect(bytes.count < 8 << 20)
    }
  }

  @Test(arguments: Samples.all)
  func extractOfAnExtractIsTheSame(_ sample: String) throws {
    let image = try Samples.image(sample)
    let bytes = try Data(contentsOf: URL(filePath: Samples.path(sample, "memory.elf")))
    #expect(Data(Extract.make(image, keepLog: true)) == bytes)
  }
}
