import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

struct Walk: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "One address, level by level.",
    discussion: Help.discussion(
      examples: [
        "ptdump-lint walk vmcore 0xffff888000000000",
        "ptdump-lint walk --table pid:1 vmcore 0x400000",
      ],
      statuses: [
        0: "The input was read whole.",
        2: "Not read: wrong usage, unreadable input, no such table.",
        3: "Read in part: tables are missing, or the input is cut off.",
      ]))

  @Argument(help: "A memory image.") var input: String
  @Argument(help: "Addresses: hexadecimal, symbol, symbol+offset, START-END or START+SIZE.")
  var addresses: [String] = []
  @Flag(help: "Also the address of each fault that the log reports, and why it faulted.")
  var fault = false
  @OptionGroup var options: InputOptions
  @OptionGroup var report: ReportOptions<PlainFormat>

  func run() throws {
    let subject = try options.subject(input, judgingLog: fault)
    let table = try options.chosen(subject)
    guard let image = subject.image, let root = table.root else {
      throw ValidationError("walk needs a memory image: a text dump holds no entries")
    }
    guard fault || !addresses.isEmpty else {
      throw ValidationError("walk takes addresses, or --fault")
    }
    guard !fault || report.format.allSatisfy({ $0.format == .text && $0.path == nil }) else {
      throw ValidationError("walk --fault prints text: ptdump-lint fault has other formats")
    }
    let isText = report.format.first?.format != .json
    if fault, isText { try printFaults(subject, table, image, root) }
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

  private func printFaults(
    _ subject: Subject, _ table: Table, _ image: KernelImage, _ root: UInt64
  ) throws {
    let faults = subject.faults.map(\.fault).filter { !$0.kind.isOfMapping }
    if faults.isEmpty {
      complain(
        "ptdump-lint: no fault in the log of \(subject.path)"
          + (subject.panic.map { "; it says: \($0)" } ?? ""))
      if addresses.isEmpty { throw ExitCode(2) }
    }
    for fault in faults {
      let judged = subject.judge(fault, in: table)
      print(TextReport.fault(judged, mode: image.mode).joined(separator: "\n"))
      if let address = judged.address {
        print(
          WalkReport(address, in: image, root: judged.process?.root ?? root).text, terminator: "")
      }
    }
    if subject.faultsLeftOut > 0 { print("and \(subject.faultsLeftOut) more reports in the log") }
  }
}
