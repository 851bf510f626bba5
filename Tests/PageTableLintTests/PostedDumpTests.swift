import Foundation
import Support
import Testing

/// Dumps of old kernels as people posted them, held against what they said of them.
///
/// samples/old/posted/README.md tells where each is from.
@Suite struct PostedDumpTests {
  private static let folder = "samples/old/posted"

  private func check(_ file: String) throws -> (
    status: Int32, findings: [(rule: String, severity: String)], areas: [String: String]
  ) {
    let run = try ProgramRun(
      ["check", "--format", "json"] + options(file) + ["\(Self.folder)/\(file)"])
    let found = try run.json()["findings"] as? [[String: Any]] ?? []
    var areas: [String: String] = [:]
    for finding in found {
      areas[finding["rule"] as? String ?? ""] = finding["area"] as? String
    }
    return (
      run.status,
      found.map { ($0["rule"] as? String ?? "", $0["severity"] as? String ?? "") }, areas
    )
  }

  /// What the poster told beside the dump.
  private func options(_ file: String) -> [String] {
    file == "isa-range-4.19-i386.txt" ? ["--release", "4.19.0-rc6"] : []
  }

  private func lines(_ file: String) throws -> [[String: Any]] {
    let run = try ProgramRun(["dump", "--style", "json", "\(Self.folder)/\(file)"])
    return try run.json()["mappings"] as? [[String: Any]] ?? []
  }

  /// None is whole, so that none is clean; none but the one that its poster called wrong has a finding.
  @Test(
    arguments: [
      ("efi-4.18.txt", []), ("efi-ldt-first.txt", []), ("efi-quoted-printable.txt", []),
      ("efi-wrapped-5.6.txt", []), ("five-levels-4.13.txt", []), ("freed-image-4.18-after.txt", []),
      ("freed-image-4.18-before.txt", []), ("isa-range-4.19-i386.txt", ["PT004"]),
      ("text-split-5.2.txt", []), ("text-whole-5.2.txt", []), ("usercopy-4.7.txt", []),
      ("vsyscall-native.txt", []), ("efi-hole-5.6.txt", []), ("efi-hole-wrapped-5.6.txt", []),
      ("pid-4.16.txt", []), ("pid-5.2.txt", []),
      ("arm64-android-4.14.txt", []), ("arm64-collapsed-6.15.txt", []),
      ("arm64-efi-64k-6.0.txt", []), ("arm64-idmap-4.12.txt", []),
      ("arm64-module-cut-4.14.txt", []), ("arm64-qemu-6.6.txt", []),
      ("arm64-repainted-6.17.txt", []), ("arm64-split-6.17.txt", []),
      ("arm64-tables-proposed.txt", []), ("arm64-user-4.14.txt", []),
      ("arm64-vmemmap-wrapped-4.0.txt", []),
    ] as [(String, [String])])
  func areJudgedAsTheirPostersDid(_ file: String, _ rules: [String]) throws {
    let (status, findings, _) = try check(file)
    #expect(findings.filter { $0.severity != "note" }.map(\.rule) == rules)
    #expect(status == (rules.isEmpty ? 3 : 1))
    #expect(findings.contains { $0.rule == "PT903" })
  }

  /// Wrapped, quoted-printable and behind a file's name: each mapping and hole is read.
  @Test(arguments: [
    ("efi-quoted-printable.txt", 10), ("efi-wrapped-5.6.txt", 8), ("usercopy-4.7.txt", 6),
    ("freed-image-4.18-before.txt", 9), ("freed-image-4.18-after.txt", 10),
    ("text-split-5.2.txt", 1), ("text-whole-5.2.txt", 1), ("isa-range-4.19-i386.txt", 13),
    ("vsyscall-native.txt", 1), ("efi-hole-5.6.txt", 7), ("efi-hole-wrapped-5.6.txt", 6),
    ("pid-4.16.txt", 2), ("pid-5.2.txt", 2),
    ("arm64-android-4.14.txt", 45), ("arm64-efi-64k-6.0.txt", 11), ("arm64-idmap-4.12.txt", 12),
    ("arm64-module-cut-4.14.txt", 14), ("arm64-repainted-6.17.txt", 11),
    ("arm64-split-6.17.txt", 41), ("arm64-user-4.14.txt", 9), ("arm64-vmemmap-wrapped-4.0.txt", 2),
  ])
  func eachMappingIsRead(_ file: String, _ count: Int) throws {
    #expect(try lines(file).count == count)
  }

  @Test(arguments: [
    ("efi-4.18.txt", "0xffff93d6c0000000"), ("efi-ldt-first.txt", "0xffff999900000000"),
    ("efi-quoted-printable.txt", "0xffff97ab80000000"),
  ])
  func theDirectMapIsFoundThoughMarkersLie(_ file: String, _ start: String) throws {
    let run = try ProgramRun(["info", "--format", "json", "\(Self.folder)/\(file)"])
    let facts = try run.json()["facts"] as? [String: [String: String]]
    #expect(facts?["directMap"]?["value"] == start)
  }

  /// What the posters found not to be mapped: memory past 2 GiB, where 1G pages are not to be had.
  @Test(arguments: [
    ("efi-hole-5.6.txt", ["0x0000000080000000-0x00000000bbe00000"]),
    (
      "efi-hole-wrapped-5.6.txt",
      ["0x0000000080000000-0x00000000b9800000", "0x00000000b9800000-0x00000000b9856000"]
    ),
  ])
  func holesAreThePosters(_ file: String, _ ranges: [String]) throws {
    let holes = try lines(file).filter { $0["kind"] as? String == "hole" }
    #expect(
      holes.map { "\($0["start"] as? String ?? "")-\($0["end"] as? String ?? "")" } == ranges)
  }

  /// The kernel counted 252 pages, and its poster too.
  @Test func theCountIsThePosters() throws {
    let run = try ProgramRun([
      "check", "--format", "json", "--release", "4.19.0-rc6",
      "\(Self.folder)/isa-range-4.19-i386.txt",
    ])
    let found = try run.json()["findings"] as? [[String: Any]] ?? []
    let pages = found.filter { $0["rule"] as? String == "PT004" }.compactMap { $0["pages"] as? Int }
    #expect(pages.reduce(0, +) == 252)
  }
}
