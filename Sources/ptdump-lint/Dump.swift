import ArgumentParser
import KernelText
import PageTableLint
import PageTables

struct Dump: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "dump",
    abstract: "Print the mappings.",
    discussion: """
      EXAMPLES:
        ptdump-lint dump --filter 'w & x' vmcore
        ptdump-lint dump --style kernel vmcore | diff - kernel_page_tables

      EXIT STATUS:
        0  The input was read whole.
        2  Not read: wrong usage, unreadable input, no such table.
        3  Read in part: tables are missing, or the input is cut off;
           with --style kernel, the markers are assumed: no symbol tells them.
      """)

  enum Style: String, ExpressibleByArgument, CaseIterable { case table, kernel, json, jsonl, csv }

  @Argument(help: "A dump or an image; the running kernel without one.") var input: String?
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>
  @Option(help: "table, kernel (what debugfs prints, byte for byte), json, jsonl or csv.")
  var style = Style.table
  @OptionGroup var filter: FilterOption

  func validate() throws {
    guard report.format.isEmpty || report.format.count == 1 && (wanted == .json || style == .table)
    else { throw ValidationError("--format text or json, or --style, once") }
    guard wanted != .kernel || (options.range == nil && filter.expression == nil) else {
      throw ValidationError(
        "--style kernel prints what the kernel prints of a whole table: no --range, no --filter")
    }
  }

  /// `--format json` is `--style json`.
  private var wanted: Style { report.format.first?.format == .json ? .json : style }

  var reads: [String] { options.reads + [input].compactMap { $0 } }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    let subject = try options.subject(input, filter: filter.mappings())
    let table = try options.chosen(subject)
    let path = report.format.first?.path
    let output = try report.open(path)
    let look = report.style(path: path)
    var assumed: String?
    if let other = MappingReport.Style(rawValue: wanted.rawValue) {
      try MappingReport.write(table, of: subject, style: other, width: look.width) { text in
        let shown =
          switch other {
          case .json, .jsonl: text.harmlessJSON
          case .csv: text.harmless()
          case .table: look.fitted(text.harmless())
          }
        try output.write(Array(shown.utf8))
      }
    } else {
      let (text, markers, areAssumed) = try KernelReport.text(table, of: subject)
      if areAssumed { assumed = markers }
      if options.verbose { complain("ptdump-lint: markers: \(markers)") }
      try output.write(text.bytes)
    }
    try output.finish()
    if let assumed {
      complain("ptdump-lint: the markers are assumed: \(assumed); \(Subject.symbolAdvice)")
    }
    try requireComplete(subject)
    if assumed != nil { throw ExitCode(3) }
  }
}
