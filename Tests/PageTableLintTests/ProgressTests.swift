import Foundation
import Support
import Testing

/// A command that takes more than half a second says on a terminal that it is at work.
@Suite struct ProgressTests {
  /// Runs a command that waits for its standard input, and prints what it said on standard error.
  private static let watch = """
    import os, pty, subprocess, sys, time
    seconds, where, text, *command = sys.argv[1:]
    master, slave = pty.openpty() if where == "terminal" else os.pipe()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    time.sleep(float(seconds))
    child.communicate(open(text, "rb").read())
    said = b""
    try:
        while part := os.read(master, 4096):
            said += part
    except OSError:
        pass  # the terminal is gone with its last writer
    sys.stdout.buffer.write(said)
    """

  private func errors(after seconds: String, on where: String) throws -> String {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "ptdump-lint").path
    let log = Samples.root.appending(path: "samples/cpa-2008/kernel.log").path
    let result = try Samples.run(
      ["/usr/bin/python3", "-c", Self.watch, seconds, `where`, log, program, "cpa", "-"])
    return String(decoding: result.output, as: UTF8.self)
  }

  @Test func aTerminalHasALineThatGoesAgain() throws {
    let said = try errors(after: "1.5", on: "terminal")
    #expect(said.hasPrefix("\rreading, 1 s"), "\(said)")
    #expect(said.hasSuffix("\r\u{1b}[K"), "\(said)")
  }

  @Test func aPipeHasNothing() throws {
    #expect(try errors(after: "1.5", on: "pipe") == "")
  }
}
