import Foundation
import Support
import Testing

/// Inputs that ask for more than they hold: each ends as samples/hostile/expected.tsv says, soon and
/// in little memory.
@Suite struct HostileTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let file: String
    let status: Int32
    let options: [String]
    var testDescription: String { file }
  }

  static let folder = Samples.root.appending(path: "samples/hostile").path
  static let cases: [Case] = {
    let list = try? String(contentsOfFile: "\(folder)/expected.tsv", encoding: .utf8)
    return (list ?? "").split(separator: "\n").map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      return Case(
        file: fields[0], status: Int32(fields[1]) ?? -1,
        options: fields[2].split(separator: " ").map(String.init))
    }
  }()

  private static let program = Samples.root.appending(path: ".build/release/ptdump-lint").path

  @Test func eachFileHasItsLine() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
    #expect(Set(files).subtracting(["README.md", "expected.tsv"]) == Set(Self.cases.map(\.file)))
  }

  /// 20 seconds and 3 GB of addresses are far above what any of them needs.
  @Test(arguments: cases) func endsAsExpected(_ input: Case) throws {
    try #require(
      FileManager.default.isExecutableFile(atPath: Self.program),
      "no release build at .build/release: run make build")
    let command = "ulimit -v 3000000; exec timeout 20 \"$@\" 2>&1"
    let result = try Samples.run(
      ["bash", "-c", command, "hostile", Self.program, "check", "--no-config"] + input.options
        + ["\(Self.folder)/\(input.file)"])
    #expect(result.status == input.status, "\(String(decoding: result.output, as: UTF8.self))")
    #expect(!result.output.isEmpty)
  }
}
