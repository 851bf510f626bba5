import Foundation
import PageTables
import Support
import Testing

/// What becomes of output that cannot be written, and of what an input's names hold.
@Suite struct OutputSafetyTests {
  private static let image = "samples/cpa-2008/memory.elf"

  private static let commands = [
    "check --no-config IMAGE", "check --no-config --format sarif IMAGE", "fault IMAGE",
    "cpa IMAGE", "decode 8000000016001e1", "walk IMAGE 0xffffffff81000000", "dump IMAGE",
    "dump --style kernel IMAGE", "dump --style jsonl IMAGE", "stats IMAGE",
    "stats --style cpa IMAGE",
    "info IMAGE", "info --format json IMAGE", "diff IMAGE IMAGE", "rules", "explain PT201",
    "--help",
    "--version",
  ]

  @Test(arguments: commands)
  func fullDevice(_ command: String) throws {
    let line = command.replacing("IMAGE", with: "\"$1/\(Self.image)\"")
    let run = try ProgramRun.shell("\"$0\" \(line) 2>&1 > /dev/full; echo status $?")
    #expect(run.output.hasSuffix("status 2\n"))
    #expect(run.output.contains("standard output: writing failed"))
  }

  /// A reader that is gone is an error, too, where no signal says so.
  @Test(arguments: ["dump IMAGE", "stats IMAGE", "rules"])
  func closedPipe(_ command: String) throws {
    let line = command.replacing("IMAGE", with: "\"$1/\(Self.image)\"")
    let run = try ProgramRun.shell(
      "trap '' PIPE; mkfifo pipe; (exec 3< pipe; exec 3<&-) & exec 4> pipe; wait; "
        + "\"$0\" \(line) >&4 2> errors; echo status $?; cat errors")
    #expect(run.output.hasPrefix("status 2\n"))
    #expect(run.output.contains("writing failed"))
  }

  /// A limit of a file's size stands for a full disk: the old file stays, and no torso.
  @Test(arguments: [
    "extract IMAGE -o out", "check --no-config --format json=out IMAGE",
    "check --no-config --write-baseline out IMAGE",
  ])
  func fullDisk(_ command: String) throws {
    let line = command.replacing("IMAGE", with: "\"$1/\(Self.image)\"")
    let run = try ProgramRun.shell(
      "echo old > out; (ulimit -f 0; \"$0\" \(line) > /dev/null 2>&1); echo status $?; "
        + "cat out; ls | wc -l")
    #expect(run.output == "status 2\nold\n1\n")
  }

  /// Whatever name it has: a link, a hard link, another way to it.
  @Test(arguments: [
    "extract image -o OUT", "check --no-config --format json=OUT image",
    "check --no-config --write-baseline OUT image", "dump --style table --format text=OUT image",
  ])
  func noOutputReplacesAnInput(_ command: String) throws {
    for name in ["image", "link", "hard", "./image"] {
      let line = command.replacing("OUT", with: name)
      let run = try ProgramRun.shell(
        "cp \"$1/\(Self.image)\" image; ln -s image link; ln image hard; \"$0\" \(line) "
          + "> /dev/null 2> errors; echo status $?; cmp image \"$1/\(Self.image)\" && cat errors")
      #expect(run.output.hasPrefix("status 2\n"))
      #expect(run.output.contains("is an input, which no output may replace"))
    }
  }

  /// What is made of a file that only its owner reads, only its owner reads.
  @Test func privateStaysPrivate() throws {
    let run = try ProgramRun.shell(
      """
      umask 022; cp "$1/\(Self.image)" image; chmod 600 image; echo > loose; chmod 666 loose
      "$0" extract image -o a > /dev/null; "$0" check --no-config --format json=b image
      "$0" check --no-config --write-baseline c --format json=loose image > /dev/null
      stat -c %a a b c loose | tr '\\n' ' '; chmod 644 image
      "$0" extract image -o d > /dev/null; stat -c %a d
      """)
    #expect(run.output == "600 600 600 600 644\n")
  }

  /// A link in the way of the unfinished file is not followed.
  @Test func noLinkIsFollowed() throws {
    let after = try ProgramRun.shell(
      "echo kept > victim; bash -c 'ln -s victim out.$$.part; exec \"$0\" rules --format json=out' "
        + "\"$0\"; cat victim; test ! -L out && head -c 1 out; ls | wc -l")
    #expect(after.output == "kept\n[2\n")
  }

  /// A configuration that lies in a pull request cannot fill the disk.
  @Test func packedTextHasALimit() throws {
    let run = try ProgramRun.shell(
      "head -c 3000000 /dev/zero | gzip > .ptdump-lint.yml; "
        + "\"$0\" check \"$1/\(Self.image)\" 2>&1; echo status $?")
    #expect(run.output.contains("unpacks to more than 1 MiB"))
    #expect(run.output.hasSuffix("status 2\n"))
  }

  /// No other program unpacks, and so neither the search path nor the environment's options reach it.
  @Test func noProgramUnpacks() throws {
    let run = try ProgramRun.shell(
      """
      xz -dc "$1/samples/hostile/prb-ok.elf.xz" > image
      for packer in gzip xz zstd; do
        $packer -c image > packed
        PATH=/none XZ_OPT=--no-such-option "$0" info packed > out; echo status $?
        grep -c release out
      done
      """)
    #expect(run.output == "status 0\n1\nstatus 0\n1\nstatus 0\n1\n")
  }

  @Test(arguments: ["evil", "ktap"])
  func namesOfTheInputDoNotAct(_ name: String) throws {
    for command in [
      "check --no-config --table all", "check --no-config --table all --color always",
      "info --table all", "dump --table all", "stats --table all", "fault",
      "check --no-config --table all --format markdown", "info --table all --format json",
      "check --no-config --table all --format ktap", "check --no-config --table all --format junit",
    ] {
      let run = try ProgramRun.shell(
        "xz -dc \"$1/samples/hostile/\(name).elf.xz\" > image; \"$0\" \(command) image 2>&1")
      for line in run.output.split(separator: "\n") {
        let bare = line.replacing(/\u{1b}\[[0-9]{1,2}m/, with: "")
        #expect(!bare.unicodeScalars.contains { $0.properties.generalCategory == .control })
        #expect(!line.contains("\u{202e}"))
        #expect(!line.trimmingPrefix(while: \.isWhitespace).hasPrefix("::"))
        if command.hasSuffix("ktap") {
          #expect(line.contains(/^(KTAP|1\.\.|ok |not ok |#)/))
        }
      }
    }
  }

  @Test func harmlessText() {
    #expect("a\u{1b}[31mb\u{7}\n\tc\u{9b}d".harmless() == "a\u{fffd}[31mb\u{fffd}\n\tc\u{fffd}d")
    #expect(
      "\u{1b}[31mred\u{1b}[0m \u{1b}]0;x".harmless(keepingColor: true)
        == "\u{1b}[31mred\u{1b}[0m \u{fffd}]0;x")
    #expect("::error::x\n  ::set-env::\na::b".harmless() == ": :error::x\n  : :set-env::\na::b")
    #expect(
      "x ##[error] ##vso[task] ## Heading\n# a".harmless()
        == "x ## [error] ## vso[task] ## Heading\n# a")
    #expect("größer — 1 GiB".harmless() == "größer — 1 GiB")
    #expect("\"\u{9b}\u{7f}é\u{202e}\"".harmlessJSON == "\"\\u009b\\u007fé\\u202e\"")
    #expect(["a\nb", "c\r\nd"].asLines == "a b\nc d\n")
  }
}
