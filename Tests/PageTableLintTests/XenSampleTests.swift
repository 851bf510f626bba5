import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Memory of real guests of Xen's: nothing is found in it, and what is broken in it is.
@Suite(.serialized) struct XenSampleTests {
  private static let map: UInt64 = 0xffff_8880_0000_0000

  private static func memory(_ sample: String = "dom0-6.12") throws -> PatchedImage {
    PatchedImage(try ImageFile.open(path: Samples.imagePath("xen/" + sample)))
  }

  struct Guest: CustomTestStringConvertible, Sendable {
    let sample: String
    let release: String
    let hypervisor: String
    let domain: String
    let root: UInt64
    /// How many frames a guest without the hardware's help has by the file, which two lists tell.
    let frames: UInt64?

    var testDescription: String { sample }
  }

  static let guests = [
    Guest(
      sample: "dom0-6.1", release: "6.1.0-50-amd64", hypervisor: "Xen", domain: "dom0 (PV)",
      root: 0x2a1_0000, frames: 65_536),
    Guest(
      sample: "dom0-6.12", release: "6.12.117+deb13-amd64", hypervisor: "Xen", domain: "dom0 (PV)",
      root: 0x2c2_2000, frames: 65_536),
    Guest(
      sample: "domu", release: "6.12.117+deb13-amd64", hypervisor: "Xen 4.17.5",
      domain: "domU (PV)", root: 0x2c2_2000, frames: 24_576),
    Guest(
      sample: "kdump", release: "6.1.0-50-amd64", hypervisor: "Xen 4.17", domain: "dom0 (PV)",
      root: 0x2a1_0000, frames: 114_688),
    Guest(
      sample: "pvh", release: "6.12.117+deb13-amd64", hypervisor: "Xen 4.17.5",
      domain: "domU (HVM or PVH)", root: 0x2c2_2000, frames: nil),
  ]

  /// Nothing is found in a healthy guest; the guest's own list of its frames is the other one's.
  @Test(arguments: guests) func aHealthyGuestHasNoFinding(_ guest: Guest) throws {
    let image = try KernelImage(Self.memory(guest.sample))
    let report = Linter.run(Subject(image: image))
    #expect(report.findings.filter { $0.severity > .note }.map(\.rule.id) == [])
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 0)
    #expect(image.problems == [] && image.log != nil)
    #expect(image.facts.release?.value == guest.release && image.root == guest.root)
    #expect(image.facts.hypervisor?.value == guest.hypervisor)
    #expect(image.facts.domain?.value == guest.domain)
    #expect(image.facts.xen?.value == (guest.frames != nil))
    #expect(image.guest?.disagreements(most: 9)?.count == guest.frames.map { _ in 0 })
    let frames = image.memory.ranges.reduce(UInt64(0)) { $0 + ($1.upperBound - $1.lowerBound + 1) }
    #expect(guest.frames == nil || frames >> 12 == guest.frames)
    let ran = Set(report.rules.map(\.id)).subtracting(report.skipped.map(\.rule.id))
    #expect(ran.isSuperset(of: ["PT004", "PT504", "PT601", "PT602", "PT604"]))
    // What Xen alone does is asked of its own guests, and what it does otherwise is not.
    let isPV = guest.frames != nil
    #expect(ran.isSuperset(of: ["PT013", "PT208", "PT610"]) == isPV)
    #expect(ran.isDisjoint(with: ["PT101", "PT304"]) == isPV)
  }

  /// What a dom0's own text shows is that it is Xen's, and no more is said of it.
  @Test func itsTextIsToldByItsLines() throws {
    let path = try Samples.imagePath("xen/dom0-6.1")
    let dump = try ProgramRun(["dump", "--style", "kernel", path])
    #expect(dump.status == 0)
    let text = try Fixtures.subject(dump: dump.output)
    #expect(text.facts.xen?.value == true)
    let report = Linter.run(text)
    #expect(report.findings.filter { $0.severity > .note }.map(\.rule.id) == [])
    #expect(report.skipped.contains { $0.rule.id == "PT004" })
    // A native kernel's is not.
    #expect(try Fixtures.subject(dump: Samples.text("healthy", "kernel.txt")).facts.xen == nil)
  }

  /// What a guest of 6.12 prints of its own tables, byte for byte.
  @Test(arguments: ["dom0-6.12", "cpa-2008"])
  func theKernelsOwnTextIsReproduced(_ sample: String) throws {
    let text = try Samples.text("xen/" + sample, "kernel.txt")
    let path = try Samples.imagePath("xen/" + sample)
    let dump = try ProgramRun(["dump", "--style", "kernel", path])
    #expect(dump.status == 0 && dump.output == text)
    let report = Linter.run(try Fixtures.subject(dump: text))
    #expect(report.findings.filter { $0.severity > .note }.map(\.rule.id) == [])
  }

  struct Defect: CustomTestStringConvertible, Sendable {
    let what: String
    let rule: String
    /// Finds an address in the image.
    let address: @Sendable (KernelImage) -> UInt64?
    let level: Int
    let change: @Sendable (UInt64) -> UInt64
    /// The address whose frame the entry gets besides, by its symbol.
    var frame: String?

    var testDescription: String { what }
  }

  /// Writable memory of the direct map's, by its number among such runs.
  private static func writable(_ image: KernelImage, _ area: Area.Kind) -> UInt64? {
    image.layout.runs(area, in: image.space()).first {
      $0.isLeaf && $0.access.isWritable && $0.size >= 64 << 10
    }?.start
  }

  /// Memory of vmalloc's that lies beyond the guest's list of its frames.
  private static func isVmalloc(_ run: Run) -> Bool {
    run.isLeaf && run.access.isWritable && run.start >= 0xffff_c900_4000_0000
      && run.start < 0xffff_e900_0000_0000
  }

  private static let frameMask: UInt64 = 0x000f_ffff_ffff_f000

  static let defects: [Defect] = [
    Defect(
      what: "NX of a pmd of the direct map", rule: "PT004", address: { writable($0, .directMap) },
      level: 2, change: { $0 & ~(1 << 63) }),
    Defect(
      what: "NX of a leaf of vmemmap", rule: "PT001", address: { writable($0, .vmemmap) }, level: 1,
      change: { $0 & ~(1 << 63) }),
    Defect(
      what: "RW of text, whose alias has the same table", rule: "PT008",
      address: { $0.symbols?["_stext"] }, level: 1, change: { $0 | 2 }),
    Defect(
      what: "RW of a page table in the direct map", rule: "PT013",
      address: { image in
        image.walk(map).steps.first { $0.level == 3 }.map { map + $0.table }
      }, level: 1, change: { $0 | 2 }),
    Defect(
      what: "another page's frame in the direct map", rule: "PT601",
      address: { writable($0, .directMap).map { $0 + 0x3000 } }, level: 1,
      change: { $0 + 0x1000 }),
    Defect(
      what: "US of a table of the direct map", rule: "PT208", address: { _ in map + (64 << 20) },
      level: 2, change: { $0 & ~4 }),
    Defect(
      what: "bit 52 of a leaf of the direct map", rule: "PT208",
      address: { writable($0, .directMap) }, level: 1, change: { $0 & ~(1 << 52) }),
    Defect(
      what: "text's frame in a writable page of vmalloc", rule: "PT002",
      address: { $0.space().runs.first(where: isVmalloc)?.start }, level: 1,
      change: { $0 & ~frameMask }, frame: "_stext"),
    Defect(
      what: "a pmd of the direct map, emptied", rule: "PT604", address: { _ in map + (128 << 20) },
      level: 2, change: { _ in 0 }),
  ]

  @Test(arguments: defects) func aDefectIsFound(_ defect: Defect) throws {
    let memory = try Self.memory()
    let image = try KernelImage(memory)
    let address = try #require(defect.address(image))
    let step = try #require(image.walk(address).steps.first { $0.level == defect.level })
    let table = try #require(image.guest?.memory.machineAddress(of: step.table))
    let entry = try memory.table(at: table)[step.index]
    let other = defect.frame.flatMap { image.symbols?[$0] }.flatMap { image.walk($0).physical }
    #expect((other != nil) == (defect.frame != nil))
    let frame = other.flatMap { image.guest?.memory.machineAddress(of: $0) } ?? 0
    try memory.set(defect.change(entry) | frame, at: step.index, of: table)
    let findings = Linter.run(Subject(image: try KernelImage(memory))).findings
    let bad = findings.filter { $0.severity > .note }
    let span = image.mode.level(defect.level).span
    let place = (address & ~(span - 1))...(address | (span - 1))
    #expect(
      bad.contains { finding in
        finding.rule.id == defect.rule && finding.extents.contains { $0.overlaps(place) }
      }, "\(bad.map(\.rule.id))")
  }
}
