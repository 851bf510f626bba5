import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// A direct map of which an upper entry is lost, with the kernel's own tables below it.
@Suite struct LostDirectMapTests {
  /// The entry of a level on the way to the root in the direct map, emptied or set.
  private func image(
    _ sample: String, level: Int, to entry: (UInt64) -> UInt64 = { _ in 0 }
  ) throws -> KernelImage {
    let whole = try Samples.image(sample)
    let patched = PatchedImage(try ImageFile.open(path: Samples.imagePath(sample)))
    let base = try #require(whole.facts.directMap?.value)
    let step = try #require(whole.walk(base &+ whole.root).steps.first { $0.level == level })
    try patched.set(entry(step.entry), at: step.index, of: step.table)
    return try KernelImage(patched)
  }

  /// One finding with the extent, and every other rule runs as before.
  @Test(arguments: ["healthy", "healthy-pti", "healthy-5level"], [3, 4])
  func isOneFinding(_ sample: String, _ level: Int) throws {
    let image = try image(sample, level: level)
    let subject = Subject(image: image)
    let report = Linter.run(subject)
    #expect(!report.isIncomplete, "\(subject.problems)")
    let grave = report.findings.filter { $0.severity > .note }
    #expect(grave.map(\.rule.id) == ["PT604"])
    let finding = try #require(grave.first)
    #expect(finding.severity == .error)
    let lost = image.mode.level(level)
    #expect(
      finding.evidence.contains {
        $0.text(image.mode).contains("the \(lost.name) entry of all of it is empty")
      })
    // What the direct map alone shows is not there to be judged; memory and devices still are.
    let before = Set(Linter.run(Subject(image: try Samples.image(sample))).skipped.map(\.rule.id))
    let now = Set(report.skipped.map(\.rule.id)).subtracting(before)
    #expect(now.isDisjoint(with: ["PT401", "PT403", "PT603", "PT604"]), "\(now)")
  }

  /// An entry that leads elsewhere is no lost one: the base may be wrong.
  @Test func aWrongWayIsAProblem() throws {
    let image = try image("healthy", level: 3) { ($0 & ~0x000f_ffff_ffff_f000) | 0x1000 }
    #expect(image.problems.contains { $0.contains("does not lead back to the tables") })
  }
}
