import Foundation
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// Each rule on a defect of its own, and on the same tables without it.
@Suite struct RuleTests {
  /// A whole text dump around the lines under test: the first lie in the direct map.
  private func dump(
    directMap: String, vmemmap: String = "RW         PSE     GLB NX pmd", user: String = ""
  ) -> Subject {
    let text = """
      ---[ User Space ]---
      0x0000000000000000-0xffff880000000000    16777096T                               pgd
      ---[ Kernel Space ]---
      0xffff880000000000-0xffff888000000000         512G                               pgd
      ---[ Low Kernel Mapping ]---
      \(directMap)
      0xffff888000400000-0xffffc90000000000       66048G                               pgd
      ---[ vmalloc() Area ]---
      0xffffc90000000000-0xffffea0000000000          33T                               pgd
      ---[ Vmemmap ]---
      0xffffea0000000000-0xffffea0000200000           2M     \(vmemmap)
      0xffffea0000200000-0xfffffe0000000000       20T                               pgd
      ---[ CPU entry Area ]---
      0xfffffe0000000000-0xfffffe0000001000           4K     ro                 GLB NX pte
      0xfffffe0000001000-0xffffffff80000000    1G                               pgd
      ---[ High Kernel Mapping ]---
      \(user)
      0xffffffff80200000-0x0000000000000000        2046M                               pmd
      """
    return Subject(text: KernelText.parse(Array(text.utf8).span), path: "dump")
  }

  private let image =
    "0xffffffff80000000-0xffffffff80200000           2M     ro         PSE     GLB x  pmd"
  private let map = """
    0xffff888000000000-0xffff888000200000           2M     RW                 GLB NX pte
    0xffff888000200000-0xffff888000400000           2M     RW         PSE     GLB NX pmd
    """

  /// Findings but those of the made-up sizes above.
  private func fired(_ subject: Subject) -> [String] {
    Linter.run(subject).findings.map(\.rule.id).filter { $0 != "PT901" }
  }

  @Test func healthyTables() {
    #expect(fired(dump(directMap: map, user: image)) == [])
    #expect(dump(directMap: map, user: image).facts.pti?.value == false)
  }

  @Test func writableExecutable() {
    let bad = image.replacing("ro ", with: "RW ")
    #expect(fired(dump(directMap: map, user: bad)) == ["PT001"])
    var without = dump(directMap: map, user: bad)
    without.facts.nx = Fact(false, "assumed")
    #expect(fired(without) == [])
  }

  @Test func executableDirectMap() {
    let bad = map.replacing("PSE     GLB NX", with: "PSE     GLB x ")
    #expect(fired(dump(directMap: bad, user: image)) == ["PT004"])
    let trampoline = """
      0xffff888000000000-0xffff88800009a000         616K     RW                 GLB NX pte
      0xffff88800009a000-0xffff88800009b000           4K     ro                 GLB x  pte
      0xffff88800009b000-0xffff888000400000        3476K     RW                 GLB NX pte
      """
    #expect(fired(dump(directMap: trampoline, user: image)) == [])
  }

  @Test func userAccessibleKernel() {
    let bad = image.replacing("     ro", with: " USR ro")
    #expect(fired(dump(directMap: map, user: bad)) == ["PT101"])
  }

  @Test func globalMixed() {
    let bad = map.replacing("PSE     GLB NX", with: "PSE         NX")
    #expect(fired(dump(directMap: bad, user: image)) == ["PT201"])
    var unknown = dump(directMap: bad, user: image)
    unknown.facts.pti = nil
    #expect(fired(unknown) == [])
    #expect(Linter.run(unknown).skipped.contains { $0.rule.id == "PT201" })
  }

  @Test func globalMissing() {
    let bad = map.replacing("GLB", with: "   ")
    #expect(fired(dump(directMap: bad, user: image)) == ["PT202"])
  }

  @Test func globalUnderPTI() {
    let off = "RW         PSE         NX pmd"
    #expect(fired(dump(directMap: map, vmemmap: off, user: image)) == ["PT203"])
    let good = map.replacing("GLB", with: "   ")
    #expect(fired(dump(directMap: good, vmemmap: off, user: image)) == [])
  }

  @Test func textRules() {
    #expect(
      Linter.run(dump(directMap: map, user: image)).findings.contains { $0.rule.id == "PT901" })
    let gap = map.replacing(
      "0xffff888000200000-0xffff888000400000           2M",
      with: "0xffff888000201000-0xffff888000400000        2044K")
    #expect(fired(dump(directMap: gap, user: image)) == ["PT902"])
    let excerpt = Subject(text: KernelText.parse(Array(map.utf8).span), path: "excerpt")
    #expect(Set(fired(excerpt)) == ["PT903"])
    #expect(Linter.run(excerpt).status(failOn: .warning, allowIncomplete: false) == 3)
    #expect(Linter.run(excerpt).status(failOn: .warning, allowIncomplete: true) == 0)
  }

  /// An image whose direct map (slot 273) holds the given entries of one pmd table.
  private func imageFindings(_ entries: [Int: UInt64]) throws -> [String] {
    var writer = ImageWriter(root: 0x2000)
    writer.table(0x2000, [273: 0x4063])
    writer.table(0x4000, [0: 0x5063])
    writer.table(0x5000, entries)
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-rule-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try writer.write(to: path)
    var subject = Subject(
      image: try KernelImage(try ELFImage(try MappedFile(path: path))), withTwin: false)
    #expect(subject.problems == [])
    subject.facts.directMap = Fact(0xffff_8880_0000_0000, "declared")
    return fired(subject)
  }

  @Test func imageRules() throws {
    #expect(try imageFindings([0: 0x8000_0000_0000_01e3, 1: 0x8000_0000_0020_01e3]) == [])
    #expect(try imageFindings([0: 0x8000_0000_0000_41e3]) == ["PT501"])
    #expect(try imageFindings([0: 0x7_0000_0063]) == ["PT502"])
    #expect(try imageFindings([1: 0x8000_0000_0040_01e3]) == ["PT601"])
  }

  @Test func unreadableTable() throws {
    // The image says that it has 4 KiB at 0x9000 and ends before them.
    var writer = ImageWriter(root: 0x2000)
    writer.table(0x2000, [273: 0x9063])
    writer.table(0x9000, [:])
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-cut-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try writer.write(to: path)
    let whole = try Data(contentsOf: URL(filePath: path))
    try whole.dropLast(4096).write(to: URL(filePath: path))
    let subject = Subject(
      image: try KernelImage(try ELFImage(try MappedFile(path: path))), withTwin: false)
    let report = Linter.run(subject)
    #expect(Set(report.findings.map(\.rule.id)) == ["PT903", "PT904"])
    #expect(report.status(failOn: .warning, allowIncomplete: false) == 3)
  }

  @Test func extractLeavesUserMemoryOut() throws {
    let marker = "PTDUMP-LINT-USER-MEMORY-MARKER "
    var writer = ImageWriter(root: 0x2000)
    // User space maps the page with the marker.
    writer.table(0x2000, [0: 0x4067])
    writer.table(0x4000, [0: 0x5067])
    writer.table(0x5000, [0: 0x6067])
    writer.table(0x6000, [1: 0x8000_0000_0000_7067])
    writer.page(0x7000, text: marker)
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-marker-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try writer.write(to: path)
    #expect(try Data(contentsOf: URL(filePath: path)).range(of: Data(marker.utf8)) != nil)
    let image = try KernelImage(try ELFImage(try MappedFile(path: path)))
    #expect(image.walk(0x1000).physical == 0x7000)
    let small = Extract.make(image, keepLog: true)
    #expect(Data(small).range(of: Data(marker.utf8)) == nil)
    let smallPath = path + "-small"
    defer { try? FileManager.default.removeItem(atPath: smallPath) }
    try Data(small).write(to: URL(filePath: smallPath))
    let again = try KernelImage(try ELFImage(try MappedFile(path: smallPath)))
    #expect(again.problems == [])
    #expect(again.space().runs == image.space().runs)
    // What was left out is unknown, not zero.
    #expect(throws: UnreadableMemory.self) { try again.memory.read(at: 0x7000, count: 16) }
  }

  @Test func idsAndDocumentation() {
    #expect(Set(Rule.all.map(\.id)).count == Rule.all.count)
    #expect(Set(Rule.all.map(\.name)).count == Rule.all.count)
    for rule in Rule.all {
      for part in ["What:", "Why:", "Fix:"] { #expect(rule.documentation.contains(part)) }
    }
  }
}
