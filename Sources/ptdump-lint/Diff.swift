import ArgumentParser
import MemoryImages
import PageTableLint

struct Diff: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "What changed between two dumps, images, or one of each.",
    discussion: """
      Areas are aligned whatever KASLR did.

      EXAMPLES:
        ptdump-lint diff before.txt after.txt
        ptdump-lint diff --format html=changes.html good.vmcore bad.vmcore

      EXIT STATUS:
        0  No difference.
        1  Differences.
        2  Not compared: wrong usage, unreadable input, no such table.
        3  Compared in part, and no difference was seen.
      """)

  @Argument(help: "A text dump or a memory image.") var old: String
  @Argument(help: "Another one.") var new: String
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PageFormat>

  var reads: [String] { options.reads + [old, new] }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    let was = try look(at: old)
    let now = try look(at: new)
    if let reason = Difference.refuses(was.subject, now.subject) {
      complain("ptdump-lint: \(old) and \(new) cannot be compared: \(reason)")
      throw ExitCode(2)
    }
    let difference = Difference(was, now)
    try report.write { format, style in
      switch format {
      case .text: DifferenceReport.text(difference, detail: options.detail, style: style)
      case .json: try DifferenceReport.json(difference, version: version)
      case .html: try DifferencePage.make(difference, version: version)
      }
    }
    if difference.status != 0 { throw ExitCode(difference.status) }
  }

  func validate() throws {
    guard options.range == nil else {
      throw ValidationError("diff takes no --range: KASLR makes addresses differ")
    }
  }

  private func look(at path: String) throws -> Linter.Report {
    let subject = try options.subject(path, judgingLog: true)
    try options.requireTables(subject)
    return Linter.run(subject)
  }
}
