import Foundation
import KernelImages
import KernelText
import PageTableLint
import PageTables
import Support
import Testing

/// The kernel's own words of each capture in samples/arm64, and defects written into them.
@Suite struct Arm64DumpTests {
  private static let folder = Samples.root.appending(path: "samples/arm64")

  /// Each capture and text: `612-4k52/kernel.txt`.
  private static let texts: [String] = {
    let manager = FileManager.default
    let captures = (try? manager.contentsOfDirectory(atPath: folder.path)) ?? []
    return captures.sorted().flatMap { capture in
      ["kernel.txt", "user.txt", "efi.txt"].map { "\(capture)/\($0)" }.filter {
        manager.fileExists(atPath: folder.appending(path: $0).path)
      }
    }
  }()

  private static func bytes(_ text: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appending(path: text)))
  }

  private static func subject(_ text: String) throws -> Subject {
    try Subject(text: KernelText.parse(Array(text.utf8).span), path: "dump")
  }

  private func fired(_ text: String) throws -> Set<String> {
    Set(Linter.run(try Self.subject(text)).findings.map(\.rule.id))
  }

  @Test func allTextsAreThere() { #expect(Self.texts.count >= 25) }

  /// Read back byte for byte, whole, in the mode that the capture's name tells.
  @Test(arguments: texts)
  func readsBack(_ name: String) throws {
    let bytes = try Self.bytes(name)
    let text = KernelText.parse(bytes.span)
    #expect(text.bytes == bytes)
    #expect(text.space.anomalies.isEmpty)
    let mode = try #require(
      ["64k48", "64k52", "16k47", "16k52", "4k39", "4k48", "4k52"].first(where: name.contains)
        ?? (name.contains("mte") ? "4k52" : nil)
        ?? (text.space.mode.granule == 4096 ? "4k\(text.space.mode.addressBits)" : nil))
    let size = text.space.mode.granule >> 10
    #expect("\(size)k\(text.space.mode.addressBits)" == mode)
    #expect(text.space.mode.hasOneRoot == !name.hasSuffix("kernel.txt"))
    #expect(text.space.mode.architecture.name == "arm64")
  }

  /// A healthy kernel's text has no finding at warning or above; one with rodata=off has its W+X.
  @Test(arguments: texts)
  func judged(_ name: String) throws {
    let report = Linter.run(
      try Self.subject(String(decoding: Self.bytes(name), as: UTF8.self)))
    let grave = report.findings.filter { $0.severity >= .warning }.map(\.rule.id)
    if name.contains("rodata-off"), name.hasSuffix("kernel.txt") {
      #expect(Set(grave) == ["PT001"])
    } else {
      #expect(grave == [], "\(report.findings.map(\.message))")
    }
    #expect(report.subject.isComplete)
  }

  /// A defect in a line of a healthy text is found by its rule, neutral or arm64's own.
  @Test(
    arguments: [
      ("0xffff800080000000", "RW NX", "RW x ", "PT001"),
      ("0xffff000000010000", "RW NX", "RW x ", "PT004"),
      ("0xffff000000010000", "    RW", "USR RW", "PT101"),
      ("0xffff800080000000", "UXN", "   ", "PT109"),
      ("0xffff800080000000", "AF   ", "AF NG", "PT209"),
      ("0xffff000000000000", "  64K", "  60K", "PT901"),
    ])
  func injected(_ start: String, _ old: String, _ new: String, _ rule: String) throws {
    let healthy = try Fixtures.text("PT109", "silent.txt")
    let lines = healthy.split(separator: "\n").map { line in
      let text = String(line)
      return text.hasPrefix(start) ? text.replacing(old, with: new, maxReplacements: 1) : text
    }
    #expect(try fired(lines.joined(separator: "\n") + "\n") == [rule])
  }

  /// Lines that a mail wrapped, quoted or that grep put a name before.
  @Test func postedTexts() throws {
    let healthy = try Fixtures.text("PT109", "silent.txt")
    let quoted = healthy.split(separator: "\n").map { "> " + $0 }.joined(separator: "\n") + "\n"
    let stamped = healthy.split(separator: "\n").map { "[    1.234567] " + $0 }
      .joined(separator: "\n")
    for text in [quoted, stamped] {
      let read = try Self.subject(text)
      #expect(read.kernel.space.runs == (try Self.subject(healthy)).kernel.space.runs)
    }
  }

  /// The areas that markers tell, and what is asked of an x86 kernel alone.
  @Test func areasAndArchitecture() throws {
    let subject = try Self.subject(Fixtures.text("PT209", "silent.txt"))
    let layout = subject.kernel.layout
    let places: [(UInt64, String)] = [
      (0xffff_0000_0010_0000, "direct map"), (0xffff_8000_0000_0000, "modules"),
      (0xffff_8000_8000_0000, "vmalloc"), (0xffff_8000_80a0_0000, "kernel image"),
      (0xffff_fdff_c000_0000, "vmemmap"), (0xffff_ffff_ff5f_c000, "fixmap"),
    ]
    for (address, name) in places { #expect(layout.area(of: address).name == name) }
    let reasons = Linter.run(subject).skipped.filter { $0.rule.id == "PT201" }.map(\.reason)
    #expect(reasons == ["does not serve arm64: judges x86-64, i386"])
    let x86 = try Fixtures.subject("PT201", "silent")
    #expect(
      Linter.run(x86).skipped.filter { $0.rule.id == "PT209" }.map(\.reason)
        == ["does not serve x86-64: judges arm64"])
  }
}
