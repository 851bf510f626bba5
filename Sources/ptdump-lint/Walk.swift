import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

struct Walk: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "walk",
    abstract: "One address, level by level.",
    discussion: """
      EXAMPLES:
        ptdump-lint walk vmcore 0xffff888000000000
        ptdump-lint walk --table pid:1 vmcore 0x400000

      EXIT STATUS:
        0  The input was read whole.
        1  --fault: a report of the log.
        2  Not read: wrong usage, unreadable input, no such table.
        3  Read in part: tables are missing, or the input is cut off.
      """)

  @Argument(help: "A memory image.") var input: String
  @Argument(help: "Addresses: hexadecimal, symbol, symbol+offset, START-END or START+SIZE.")
  var addresses: [String] = []
  @Flag(help: "What ptdump-lint fault says of the log, and no address.")
  var fault = false
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>

  var reads: [String] { options.reads + [input] }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    if fault {
      guard addresses.isEmpty else {
        throw ValidationError("walk --fault takes no addresses: it is ptdump-lint fault")
      }
      try FaultReports(
        log: input, tables: nil, failOn: .warning, allowIncomplete: false, options: options,
        write: { make in
          try report.write { format, style in
            try make(PageFormat(rawValue: format.rawValue) ?? .text, style)
          }
        }
      ).run()
      return
    }
    guard !addresses.isEmpty else { throw ValidationError("walk takes addresses, or --fault") }
    let subject = try options.subject(input)
    let table = try options.chosen(subject)
    guard let image = subject.image, let root = table.root else {
      throw ValidationError("walk needs a memory image: a text dump holds no entries")
    }
    let walks = try addresses.flatMap { text in
      try places(AddressExpression(text), in: subject, table).map {
        WalkReport($0, in: image, root: root)
      }
    }
    try report.write { format, _ in
      switch format {
      case .text: walks.map(\.text).joined()
      case .json: try WalkReport.json(walks, of: subject, table: table.name)
      }
    }
  }

  /// The address; of a range the start of each mapping in it.
  private func places(
    _ expression: AddressExpression, in subject: Subject, _ table: Table
  ) throws -> [UInt64] {
    guard !expression.isOneAddress else { return [try expression.address(in: subject)] }
    let range = try expression.range(in: subject)
    let starts = table.space.runs(from: range.lowerBound, through: range.upperBound)
      .filter(\.isLeaf).map(\.start)
    return starts.isEmpty ? [range.lowerBound] : starts
  }
}
