import Foundation
import KernelText
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// The kernel printed its own tables at the moment of each capture: `dump --style kernel` must print
/// the same bytes.
@Suite struct KernelDumpTests {
  /// The kernel's file, and the root that it shows.
  static let files = ["kernel.txt", "current_kernel.txt", "current_user.txt", "efi.txt"]

  private func root(_ file: String, _ image: KernelImage) throws -> UInt64 {
    switch file {
    case "kernel.txt": return image.root
    case "efi.txt": return try #require(image.efiRoot)
    default:
      // The CPU was stopped in the program that read the files.
      let cpu = try #require(image.cpus.first)
      let mask = ~(image.mode.rootAlignment - 1)
      let cr3 = cpu.cr3 & mask & 0x000f_ffff_ffff_ffff
      guard image.facts.pti?.value == true else { return cr3 }
      return file == "current_user.txt" ? cr3 | 0x1000 : cr3 & ~0x1000
    }
  }

  @Test(arguments: Samples.images)
  func noByteDiffers(_ sample: String) throws {
    let image = try Samples.image(sample)
    for file in Self.files where Samples.has(sample, file) {
      let subject = Subject(
        image: image, roots: [(id: .root(try root(file, image)), address: try root(file, image))])
      let (text, markers, areAssumed) = try KernelReport.text(subject.kernel, of: subject)
      #expect(!areAssumed)
      #expect(markers.hasPrefix("address_markers"))
      let mine = text.bytes
      let theirs = [UInt8](try Data(contentsOf: URL(filePath: Samples.path(sample, file))))
      guard mine != theirs else { continue }
      let place = zip(mine, theirs).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      let line = theirs.prefix(place ?? 0).count { $0 == 10 } + 1
      Issue.record("\(sample)/\(file): differs in line \(line)")
    }
  }

  @Test(arguments: Samples.images)
  func capturedTextPrintsAsItself(_ sample: String) throws {
    for file in Self.files where Samples.has(sample, file) {
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: Samples.path(sample, file))))
      let text = KernelText.parse(bytes.span)
      #expect(text.bytes == bytes, "\(sample)/\(file)")
      #expect(text.space.anomalies == [], "\(sample)/\(file)")
    }
  }

  /// The kernel counts writable and executable pages itself, once, at the end of its start.
  @Test(arguments: Samples.images)
  func writableExecutablePagesAreTheKernels(_ sample: String) throws {
    let subject = Subject(image: try Samples.image(sample))
    let log = try #require(subject.image?.log?.value)
    guard let line = log.split(separator: "\n").first(where: { $0.contains("Checked W+X") }) else {
      // Without NX the kernel does not look.
      #expect(subject.facts.nx?.value == false)
      return
    }
    let words = line.split(separator: " ")
    let kernel =
      line.contains("passed")
      ? 0
      : words.firstIndex(of: "FAILED,").flatMap { UInt64(words[$0 + 1]) }
    let counted = WritableExecutable(subject.kernel)
    #expect(counted.pagesTheKernelCounts == kernel)
    // With PAE the kernel's own check is blind; the BIOS area is writable and executable.
    if subject.mode == .i386PAE {
      #expect(counted.pages == (log.contains("PCI BIOS area is rw and x") ? 96 : 0))
    } else {
      #expect(counted.pages == counted.pagesTheKernelCounts)
    }
  }

  /// Each table of each healthy kernel, from the image and from the text; the notes are worth reading.
  @Test(arguments: Samples.healthy + Samples.configurations)
  func healthyKernelsAreFreeOfFindings(_ sample: String) throws {
    let image = try Samples.image(sample)
    let log = try #require(image.log?.value)
    var subjects = [Subject(image: image)]
    if let process = Samples.process(image) { subjects[0].add([process]) }
    if let efi = image.efiRoot {
      subjects.append(Subject(image: image, roots: [(id: .efi, address: efi)]))
    }
    for file in ["kernel", "current_kernel", "current_user", "efi"].map({ "\($0).txt" })
    where Samples.has(sample, file) {
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: Samples.path(sample, file))))
      subjects.append(try Subject(text: KernelText.parse(bytes.span), path: file))
    }
    for var subject in subjects {
      #expect(subject.take(log: log, userRelease: nil) == nil)
      let report = Linter.run(subject)
      let what = "\(subject.path) \(subject.tables.map(\.name))"
      #expect(report.findings.filter { $0.severity > .note }.map(\.rule.id) == [], "\(what)")
      #expect(report.findings.count <= 5, "\(what)")
      #expect(!report.isIncomplete, "\(what)")
    }
  }

  /// docs/fidelity.md lists what was compared; `RECORD=1` writes its tables again.
  @Test func documentedConfigurationsAreThese() throws {
    try Self.compareTable(of: Samples.images, files: Self.files)
    try Self.compareTable(of: Samples.arm64, files: ["kernel.txt", "user.txt", "efi.txt"])
  }

  /// The lines of each capture's texts, as docs/fidelity.md has them.
  private static func compareTable(of samples: [String], files: [String]) throws {
    let path = Samples.root.appending(path: "docs/fidelity.md")
    let page = String(decoding: try Data(contentsOf: path), as: UTF8.self)
    let names = files.map { $0.replacing(".txt", with: "") }.joined(separator: " | ")
    let head = "| capture | release | mode | \(names) |\n"
    let start = try #require(page.range(of: head))
    let end = try #require(page.range(of: "\n\n", range: start.upperBound..<page.endIndex))
    var table = head + "|---|---|---|" + String(repeating: "--:|", count: files.count)
    for sample in samples {
      let image = try Samples.image(sample)
      let release = image.facts.release?.value ?? ""
      table += "\n| \(sample) | \(release) | \(image.mode.name)"
      for file in files {
        let lines =
          Samples.has(sample, file)
          ? "\(try Samples.text(sample, file).split(separator: "\n").count)" : "-"
        table += " | \(lines)"
      }
      table += " |"
    }
    if ProcessInfo.processInfo.environment["RECORD"] == "1" {
      let new = page.replacingCharacters(in: start.lowerBound..<end.lowerBound, with: table)
      try Data(new.utf8).write(to: path)
    } else {
      #expect(
        page.contains(table + "\n\n"), "RECORD=1 swift test --filter documentedConfigurations")
    }
  }
}
