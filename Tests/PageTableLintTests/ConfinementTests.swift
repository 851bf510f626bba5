import Foundation
import Support
import Testing

/// What a reader that misbehaves can reach: Tests/Witnesses/misbehave.c is one.
@Suite struct ConfinementTests {
  private static let attempts = [
    "read another file", "read beside the input", "write beside the input", "make a socket",
    "trace a process", "make a process", "run a program",
  ]

  /// How each attempt ended while a packed image was read.
  private func ends(_ options: String) throws -> [String: String] {
    let run = try ProgramRun.shell(
      """
      gcc -shared -fPIC -o misbehave.so "$1/Tests/Witnesses/misbehave.c" || exit 9
      gzip -c "$1/samples/healthy/memory.elf" > image.gz; echo secret > secret; mkdir out temporary
      cp "$1/samples/healthy/kernel.txt" other.txt; printf 'other.txt\\nimage.gz\\n' > list
      export TMPDIR=$PWD/temporary LD_PRELOAD=$PWD/misbehave.so
      "$0" \(options) 2>&1
      """)
    return Dictionary(
      run.output.split(separator: "\n").compactMap { line in
        let parts = line.split(separator: ": ").map(String.init)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
      }, uniquingKeysWith: { first, _ in first })
  }

  @Test(arguments: [
    "check --no-config image.gz", "info image.gz", "extract image.gz -o out/small",
    "check --no-config --format json=out/report image.gz", "diff image.gz image.gz",
    "dump image.gz", "stats image.gz", "walk image.gz 0", "fault image.gz", "cpa image.gz",
    "check --no-config other.txt image.gz", "check --no-config --format html other.txt image.gz",
  ])
  func nothingElseIsReached(_ command: String) throws {
    let free = try ends(command + " --no-confinement")
    #expect(Self.attempts.allSatisfy { free[$0] == "done" }, "\(free)")
    let confined = try ends(command)
    // An old kernel, or a container, has no Landlock: files are open there.
    let files = free["landlock"] == "done" ? 0 : 3
    for attempt in Self.attempts.dropFirst(files) {
      #expect(confined[attempt] != nil && confined[attempt] != "done", "\(attempt) \(confined)")
    }
  }

  /// Of several inputs each is read by a process that may open no other, if the kernel has Landlock.
  @Test(arguments: ["other.txt image.gz", "--inputs-from list"])
  func noOtherInputIsReached(_ inputs: String) throws {
    let command = "check --no-config \(inputs)"
    #expect(try ends(command + " --no-confinement")["read another input"] == "done")
    let confined = try ends(command)
    guard confined["landlock"] == "done" else { return }
    #expect(confined["read another input"] == "Permission denied")
  }

  /// A reader that crashes loses its own input alone.
  @Test func aCrashIsOneInputs() throws {
    let run = try ProgramRun.shell(
      """
      gcc -shared -fPIC -o misbehave.so "$1/Tests/Witnesses/misbehave.c" || exit 9
      gzip -c "$1/samples/healthy/memory.elf" > image.gz; cp "$1/samples/healthy/kernel.txt" .
      CRASH=1 LD_PRELOAD=$PWD/misbehave.so SWIFT_BACKTRACE=enable=no "$0" check --no-config \
        --format json kernel.txt image.gz kernel.txt 2> errors; echo $?
      """)
    let text = run.output
    #expect(text.hasSuffix("\n2\n"))
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(text.dropLast(2).utf8)) as? [String: Any])
    #expect((report["inputs"] as? [Any])?.count == 2)
    let lost = try #require((report["unreadable"] as? [[String: String]])?.first)
    #expect(lost["path"] == "image.gz" && lost["reason"]?.contains("ended by signal 11") == true)
  }

  /// What confinement takes away is not needed: each answer is the same without it.
  @Test(arguments: [
    "check --no-config IMAGE", "info IMAGE", "dump IMAGE", "stats IMAGE",
    "fault samples/faults/kernel.log", "check samples/logs/*.log",
    "walk IMAGE ffffffff81000000", "diff IMAGE IMAGE",
    "check --no-config IMAGE --symbols samples/faults/System.map",
  ])
  func answersAreTheSame(_ command: String) throws {
    let run = try ProgramRun.shell(
      """
      cd "$1"; IMAGE=samples/healthy/memory.elf
      "$0" \(command.replacing("IMAGE", with: "$IMAGE")) > "$OLDPWD/a" 2>&1; echo $? >> "$OLDPWD/a"
      "$0" \(command.replacing("IMAGE", with: "$IMAGE")) --no-confinement > "$OLDPWD/b" 2>&1
      echo $? >> "$OLDPWD/b"; cd - > /dev/null; cmp a b && echo same
      """)
    #expect(run.output == "same\n")
  }
}
