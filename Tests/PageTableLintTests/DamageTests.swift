import Foundation
import Support
import Testing

/// Damaged images against the release build, each in a process of its own.
///
/// Whatever is cut off or changed: an end with status 0 to 3, a message, and no clean verdict that
/// says less than that of the whole image.
@Suite struct DamageTests {
  private static let program = Samples.root.appending(path: ".build/release/ptdump-lint").path

  private func check(_ path: String) throws -> (status: Int32, signalled: Bool, text: String) {
    // 10 seconds and 2 GB of address space: a hang or a blow-up ends as a failure here. PT304 counts
    // entries that are alike in all bits, so that a bit that means nothing changes its figures.
    let command = "ulimit -v 2000000; exec timeout 10 \"$0\" check -v --skip PT304 \"$1\""
    let result = try Samples.run(["sh", "-c", command, Self.program, path])
    return (result.status, result.signalled, String(decoding: result.output, as: UTF8.self))
  }

  /// What a report says, without its sum and without the rules that could not run: a new mapping may
  /// bring what one of them needs.
  private func lines(_ report: String) -> Set<Substring> {
    Set(
      report.split(separator: "\n").filter {
        !$0.hasPrefix("ptdump-lint: ") && !$0.hasPrefix("skipped: ")
      })
  }

  /// - Parameter mayBeHarmless: whether status 0 is right where the report says no less.
  private func damaged(
    _ original: [UInt8], cases: Int, seed: UInt64, mayBeHarmless: Bool,
    _ change: (inout [UInt8], inout SeededGenerator) -> String
  ) throws {
    guard FileManager.default.isExecutableFile(atPath: Self.program) else {
      Issue.record("no release build at .build/release: run make test")
      return
    }
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-damage-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(original).write(to: URL(filePath: path))
    let before = try check(path)
    #expect(before.status == 0)
    var random = SeededGenerator(seed)
    for number in 0..<Effort.cases(cases, oneIn: 20) {
      var bytes = original
      let what = change(&bytes, &random)
      try Data(bytes).write(to: URL(filePath: path))
      let result = try check(path)
      // A changed attribute may add a note; what was said of the whole image stays.
      let isHarmless =
        mayBeHarmless && result.status == 0 && lines(before.text).isSubset(of: lines(result.text))
      guard !result.signalled, isHarmless || (1...3).contains(result.status), !result.text.isEmpty
      else {
        Issue.record(
          "case \(number), \(what): status \(result.status), \(result.text.prefix(500))")
        return
      }
    }
  }

  /// The healthy sample's extract, whose checksum covers each byte.
  private func extract() throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: Samples.path("healthy", "memory.elf"))))
  }

  private func cut(_ bytes: inout [UInt8], _ random: inout SeededGenerator) -> String {
    let size = Int.random(in: 0..<bytes.count, using: &random)
    bytes.removeLast(bytes.count - size)
    return "cut to \(size)"
  }

  private func change(
    _ bytes: inout [UInt8], _ random: inout SeededGenerator, in range: Range<Int>, count: Int
  ) -> String {
    var places: [String] = []
    for _ in 0..<count {
      let at = Int.random(in: range, using: &random)
      let value = UInt8.random(in: 1...255, using: &random)
      bytes[at] ^= value
      places.append("\(at) ^ \(value)")
    }
    return "bytes " + places.joined(separator: ", ")
  }

  @Test func cutAnywhere() throws {
    try damaged(
      extract(), cases: 500, seed: 0x1234_5678_9abc_def1, mayBeHarmless: false, cut)
  }

  @Test func headersAndNotesChanged() throws {
    try damaged(extract(), cases: 500, seed: 0xfeed_beef_cafe_0001, mayBeHarmless: false) {
      change(&$0, &$1, in: 0..<12000, count: 1)
    }
  }

  @Test func tablesChanged() throws {
    try damaged(extract(), cases: 300, seed: 0x0bad_cafe_0000_0003, mayBeHarmless: false) {
      change(&$0, &$1, in: 12000..<$0.count, count: Int.random(in: 1...64, using: &$1))
    }
  }

  @Test(arguments: RawImage.Shape.allCases)
  func rawImageCutAnywhere(_ shape: RawImage.Shape) throws {
    let raw = try RawImage.make(Samples.image("healthy"), shape)
    try damaged(raw, cases: 200, seed: 0x1234_5678_0000_0005, mayBeHarmless: false, cut)
  }

  /// Headers, notes and the first tables of an image without a checksum.
  @Test(arguments: RawImage.Shape.allCases)
  func rawImageChanged(_ shape: RawImage.Shape) throws {
    let raw = try RawImage.make(Samples.image("healthy"), shape)
    try damaged(raw, cases: 400, seed: 0x5eed_1234_0000_0007, mayBeHarmless: true) {
      change(&$0, &$1, in: 0..<10000, count: 1)
    }
    try damaged(raw, cases: 200, seed: 0x5eed_0000_0000_0009, mayBeHarmless: true) {
      change(&$0, &$1, in: 10000..<$0.count, count: Int.random(in: 1...64, using: &$1))
    }
  }

  private func kdump() throws -> [UInt8] {
    try Container.kdump(RawImage.core(Samples.image("healthy"), .qemu))
  }

  /// What lies before the pages of `kdump`: headers, notes, bitmaps and page descriptors.
  private func pagesStart(_ kdump: [UInt8]) -> Int {
    func u32(_ at: Int) -> Int { (0..<4).reversed().reduce(0) { $0 << 8 | Int(kdump[at + $1]) } }
    return 4096 * (1 + u32(432) + u32(436)) + 24 * 400
  }

  @Test func kdumpCutAnywhere() throws {
    let kdump = try kdump()
    try damaged(kdump, cases: 150, seed: 0x1234_5678_0000_0011, mayBeHarmless: false, cut)
    let start = pagesStart(kdump)
    try damaged(kdump, cases: 50, seed: 0x1234_5678_0000_0013, mayBeHarmless: false) {
      let size = Int.random(in: 0..<start, using: &$1)
      $0.removeLast($0.count - size)
      return "cut to \(size)"
    }
  }

  @Test func kdumpChanged() throws {
    let kdump = try kdump()
    let start = pagesStart(kdump)
    try damaged(kdump, cases: 300, seed: 0x5eed_1234_0000_0015, mayBeHarmless: true) {
      change(&$0, &$1, in: 0..<start, count: 1)
    }
    try damaged(kdump, cases: 100, seed: 0x5eed_1234_0000_0017, mayBeHarmless: true) {
      change(&$0, &$1, in: start..<$0.count, count: Int.random(in: 1...64, using: &$1))
    }
  }

  @Test func flattenedAndLiMEAndAVMLCutAnywhere() throws {
    let core = try Container.withNoteInMemory(RawImage.core(Samples.image("healthy"), .qemu))
    for bytes in [
      Container.flattened(Container.kdump(core)), Container.lime(core), Container.avml(core),
    ] {
      try damaged(bytes, cases: 60, seed: 0x1234_5678_0000_0019, mayBeHarmless: false, cut)
      try damaged(bytes, cases: 60, seed: 0x1234_5678_0000_0021, mayBeHarmless: true) {
        change(&$0, &$1, in: 0..<$0.count, count: Int.random(in: 1...16, using: &$1))
      }
    }
  }
}
