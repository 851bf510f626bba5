import Foundation
import Support
import Testing

/// Damaged images against the release build, each in a process of its own.
///
/// Whatever is cut off or changed: an end with status 0 to 3, a message, and no clean verdict.
@Suite struct DamageTests {
  private static let program = Samples.root.appending(path: ".build/release/ptdump-lint").path

  /// A generator with a fixed seed, so that a failure can be repeated.
  private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
  }

  private func check(_ path: String) throws -> (status: Int32, signalled: Bool, text: String) {
    // 10 seconds and 2 GB of address space: a hang or a blow-up ends as a failure here.
    let result = try Samples.run([
      "sh", "-c", "ulimit -v 2000000; exec timeout 10 \"$0\" check \"$1\"", Self.program, path,
    ])
    return (result.status, result.signalled, String(decoding: result.output, as: UTF8.self))
  }

  private func damaged(
    _ cases: Int, seed: UInt64, _ change: (inout [UInt8], inout Seeded) -> String
  ) throws {
    guard FileManager.default.isExecutableFile(atPath: Self.program) else {
      Issue.record("no release build at .build/release: run make test")
      return
    }
    let original = [UInt8](
      try Data(contentsOf: URL(filePath: Samples.path("healthy", "memory.elf"))))
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-damage-\(seed)-\(getpid())"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var random = Seeded(state: seed)
    for number in 0..<cases {
      var bytes = original
      let what = change(&bytes, &random)
      try Data(bytes).write(to: URL(filePath: path))
      let result = try check(path)
      guard !result.signalled, (1...3).contains(result.status), !result.text.isEmpty else {
        Issue.record(
          "case \(number), \(what): status \(result.status), \(result.text.prefix(200))")
        return
      }
    }
  }

  @Test func cutAnywhere() throws {
    try damaged(500, seed: 0x1234_5678_9abc_def1) { bytes, random in
      let size = Int.random(in: 0..<bytes.count, using: &random)
      bytes.removeLast(bytes.count - size)
      return "cut to \(size)"
    }
  }

  @Test func headersAndNotesChanged() throws {
    try damaged(1000, seed: 0xfeed_beef_cafe_0001) { bytes, random in
      let at = Int.random(in: 0..<12000, using: &random)
      let value = UInt8.random(in: 1...255, using: &random)
      bytes[at] ^= value
      return "byte \(at) ^ \(value)"
    }
  }

  @Test func tablesChanged() throws {
    try damaged(500, seed: 0x0bad_cafe_0000_0003) { bytes, random in
      var places: [Int] = []
      for _ in 0..<Int.random(in: 1...64, using: &random) {
        let at = Int.random(in: 12000..<bytes.count, using: &random)
        bytes[at] ^= UInt8.random(in: 1...255, using: &random)
        places.append(at)
      }
      return "bytes \(places)"
    }
  }
}
