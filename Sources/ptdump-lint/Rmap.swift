import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

struct Rmap: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "rmap",
    abstract: "Every address, in every table, that maps a physical page; what the page is.",
    discussion: """
      The tables are the kernel's, its user twin, EFI's and those of each process; --table names one.

      EXAMPLES:
        ptdump-lint rmap vmcore 0x2801000
        ptdump-lint rmap --filter 'w' vmcore _text

      EXIT STATUS:
        0  The input was read whole.
        2  Not read: wrong usage, unreadable input, no such table.
        3  Read in part: tables are missing, nothing tells the processes, or the
           input is cut off.
      """)

  @Argument(help: "A memory image.") var input: String
  @Argument(
    help: ArgumentHelp(
      "Physical addresses, hexadecimal; START-END or START+SIZE; or symbols.",
      valueName: "frame"))
  var frames: [String]
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>
  @OptionGroup var filter: FilterOption

  var reads: [String] { options.reads + [input] }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func validate() throws {
    do {
      _ = try frames.map { try AddressExpression($0) }
    } catch let error as UsageError {
      throw ValidationError(error.description)
    }
    guard report.format.count <= 1 else { throw ValidationError("rmap takes one --format") }
  }

  func run() throws {
    let (subject, unread) = try subject()
    guard let image = subject.image else {
      throw ValidationError("rmap needs a memory image: a text dump holds no physical addresses")
    }
    let filter = try filter.mappings()
    let reports = try frames.map { text in
      FrameReport(
        try AddressExpression(text).frames(in: subject, image), in: image, of: subject,
        filter: filter)
    }
    let isJSON = report.format.first?.format == .json
    let output = try report.open(report.format.first?.path)
    try FrameReport.write(reports, of: subject, style: isJSON ? .json : .text) { text in
      try output.write(Array((isJSON ? text.harmlessJSON : text.harmless()).utf8))
    }
    try output.finish()
    if let unread {
      complain("\(unread)")
      throw ExitCode(3)
    }
    try requireComplete(subject)
  }

  /// All tables, unless one is named; without those of processes where nothing tells where they lie.
  private func subject() throws -> (Subject, unread: ImageError?) {
    var subject = try options.subject(input)
    try options.requireTables(subject)
    guard options.table == nil else { return (subject, nil) }
    var unread: ImageError?
    let reader = try options.reader()
    do throws(ImageError) { try reader.addProcesses(to: &subject) } catch {
      subject.problems.append("the tables of processes were not read: \(error.problem)")
      unread = error
    }
    subject.readEFI()
    return (subject, unread)
  }
}
