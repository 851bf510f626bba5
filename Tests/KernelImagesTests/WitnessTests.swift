import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// QEMU walked the same tables at the same moment: each of its leaves must be ours.
@Suite struct WitnessTests {
  private static let withTLB = Samples.images.filter { Samples.has($0, "tlb.txt.xz") }

  @Test(arguments: withTLB)
  func everyLeafIsQEMUs(_ sample: String) throws {
    let image = try Samples.image(sample)
    let mode = image.mode
    let cpu = try #require(image.cpus.first)
    // The capture stopped the CPU in the kernel's half.
    var root = cpu.cr3 & ~(mode.rootAlignment - 1) & 0x000f_ffff_ffff_ffff
    if image.facts.pti?.value == true { root &= ~0x1000 }
    let space = image.space(root: root)
    let packed = try Samples.run(["xz", "-dc", Samples.path(sample, "tlb.txt.xz")])
    #expect(packed.status == 0)
    // One line a leaf: ADDRESS: PHYSICAL XGPDACTUW, a dash for a clear bit, the digits of an
    // address as many as QEMU's target has.
    let letters: [UInt64] = [
      1 << 63, 1 << 8, 1 << 7, 1 << 6, 1 << 5, 1 << 4, 1 << 3, 1 << 2, 1 << 1,
    ]
    let compared = letters.reduce(0, |)
    var expected = 0
    var leaves = 0
    for run in space.runs where run.isLeaf {
      leaves += Int(run.size / mode.level(Int(run.level)).span)
    }
    for line in packed.output.split(separator: 10) {
      let words = line.split(separator: 32)
      guard words.count == 3, words[2].count == letters.count,
        let address = UInt64(
          String(decoding: words[0].dropLast(), as: UTF8.self), radix: 16),
        let physical = UInt64(String(decoding: words[1], as: UTF8.self), radix: 16)
      else {
        Issue.record("not understood: \(String(decoding: line, as: UTF8.self))")
        return
      }
      var flags: UInt64 = 0
      for (letter, mask) in zip(words[2], letters) where letter != 0x2d { flags |= mask }
      expected += 1
      let run = try #require(space.run(at: address), "no run at \(address.address)")
      let span = mode.level(Int(run.level)).span
      // QEMU masks the PSE bit of a 4K entry (PAT there), and shows no NX with two levels.
      let mask = compared & ~(run.level == 1 ? 1 << 7 : 0)
      // With PAE it leaves NX in the address.
      let frame = physical & mode.tableAddress
      guard run.isLeaf, run.physical(of: address, span: span) == frame,
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
    for sample in Samples.images {
      let bytes = try Data(contentsOf: URL(filePath: Samples.imagePath(sample)))
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
