import Foundation
import PageTableLint
import KernelText
import PageTables
import Support
import Testing

/// Text that people posted: quoted, stamped, elided, broken.
///
/// It lies outside the project, beside it.
@Suite struct RealDumpTests {
  private static let folder = Samples.root.appending(path: "../shared/real-dumps")
  private static var dumps: [URL] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".txt") && !$0.contains("selftest") }.sorted()
      .map { folder.appending(path: $0) }
  }

  @Test(.enabled(if: !dumps.isEmpty, "no ../shared/real-dumps beside the project"))
  func excerptsAreReadAndNeverClean() throws {
    for file in Self.dumps {
      let bytes = [UInt8](try Data(contentsOf: file))
      let text = KernelText.parse(bytes.span)
      let report = Linter.run(try Subject(text: text, path: file.lastPathComponent))
      #expect(!text.space.runs.isEmpty || text.markers.count > 0, "\(file.lastPathComponent)")
      #expect(report.isIncomplete, "\(file.lastPathComponent)")
      #expect(report.status(failOn: nil, allowIncomplete: false) == 3)
    }
  }

  /// What each is known to show, at any severity.
  @Test(
    .enabled(if: !dumps.isEmpty, "no ../shared/real-dumps beside the project"),
    arguments: [
      ("mail-x86-holes-2019", ["PT902", "PT903"]),
      ("x86-5level-dump-broken-2017", ["PT902", "PT903", "PT906"]),
      ("x86-efi-dmesg-2018-4.18rc7", ["PT903", "PT906"]),
      ("x86-efi-dmesg-espfix", ["PT903"]),
      ("x86-pti-user-global-entries-2018", ["PT902", "PT903"]),
    ])
  func excerptsGiveNotesOnly(_ name: String, _ rules: [String]) throws {
    let bytes = [UInt8](try Data(contentsOf: Self.folder.appending(path: "\(name).txt")))
    let report = Linter.run(try Subject(text: KernelText.parse(bytes.span), path: name))
    #expect(report.findings.map(\.rule.id).sorted() == rules)
    #expect(report.findings.allSatisfy { $0.severity == .note })
  }
}
