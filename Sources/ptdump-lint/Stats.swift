import ArgumentParser
import KernelImages
import PageTableLint

enum StatisticsFormat: String, CaseIterable { case text, json, openmetrics }

struct Stats: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Page sizes, protections and splitting in figures.",
    discussion: """
      EXAMPLES:
        ptdump-lint stats vmcore
        ptdump-lint stats --format openmetrics

      EXIT STATUS:
        0  The input was read whole.
        2  Not read: wrong usage, unreadable input, no such table.
        3  Read in part: tables are missing, or the input is cut off.
      """)

  enum Style: String, ExpressibleByArgument, CaseIterable { case table, cpa }

  @Argument(help: "A dump or an image; the running kernel without one.") var input: String?
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<StatisticsFormat>
  @Option(help: "table, or cpa: the self-test's own line.") var style = Style.table

  func validate() throws {
    guard style == .table || report.format.allSatisfy({ $0.format == .text }) else {
      throw ValidationError("--style cpa is text, and takes no other --format")
    }
  }

  var reads: [String] { options.reads + [input].compactMap { $0 } }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    let subject = try options.subject(input, tellingIncidental: false)
    let table = try options.chosen(subject)
    try report.write { format, _ in
      switch format {
      case .json: try StatisticsReport.json(table, of: subject)
      case .openmetrics: StatisticsReport.openMetrics(table, of: subject)
      case .text where style == .cpa:
        DirectMapStatistics(table, pages: subject.facts.maxPfnMapped?.value).line + "\n"
      case .text: MappingReport.statistics(table)
      }
    }
    try requireComplete(subject)
  }
}
