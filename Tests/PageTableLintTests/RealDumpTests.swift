import Foundation
import PageTableLint
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
}
