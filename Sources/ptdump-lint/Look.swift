import KernelText
import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

struct Dump: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the mappings.")

  enum Style: String, ExpressibleByArgument, CaseIterable { case table, kernel, json, jsonl, csv }

  @Argument(help: "A dump or an image.") var input: String?
  @OptionGroup var options: InputOptions
  @Option(help: "table, kernel (what debugfs prints, byte for byte), json, jsonl or csv.")
  var style = Style.table

  @Option(
    help: ArgumentHelp(
      "Only mappings that match, as \"w & x\" or \"size >= 2M\" (docs/formats.md).",
      valueName: "expression"))
  var filter: String?

  func validate() throws {
    do { _ = try filter.map { try MappingFilter($0) } } catch let error as UsageError {
      throw ValidationError(error.description)
    }
    guard style != .kernel || (options.range == nil && filter == nil) else {
      throw ValidationError(
        "--style kernel prints what the kernel prints of a whole table: no --range, no --filter")
    }
  }

  func run() throws {
    let subject = try options.subject(input, filter: filter.map { try MappingFilter($0) })
    let table = try options.chosen(subject)
    if let other = MappingReport.Style(rawValue: style.rawValue) {
      print(MappingReport.text(table, style: other, symbols: subject.symbols), terminator: "")
    } else {
      let (text, markers) = KernelReport.text(table, of: subject)
      if options.verbose { complain("ptdump-lint: markers: \(markers)") }
      try writeOut(text.bytes)
    }
    try requireComplete(subject)
  }
}

struct Walk: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "One address, level by level.")

  @Argument(help: "A memory image.") var input: String
  @Argument(help: "Addresses in hexadecimal.") var addresses: [String] = []
  @Flag(help: "Also the address of each fault that the log reports, and why it faulted.")
  var fault = false
  @OptionGroup var options: InputOptions

  func run() throws {
    let subject = try options.subject(input, judgingLog: fault)
    let table = try options.chosen(subject)
    guard let image = subject.image, let root = table.root else {
      throw ValidationError("walk needs a memory image: a text dump holds no entries")
    }
    guard fault || !addresses.isEmpty else {
      throw ValidationError("walk takes addresses, or --fault")
    }
    if fault { try printFaults(subject, table, image, root) }
    for text in addresses {
      printWalk(try AddressExpression(text).address(in: subject), image, root)
    }
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
        printWalk(address, image, judged.process?.root ?? root)
      }
    }
    if subject.faultsLeftOut > 0 { print("and \(subject.faultsLeftOut) more reports in the log") }
  }

  private func printWalk(_ address: UInt64, _ image: KernelImage, _ root: UInt64) {
    let mode = image.mode
    print(mode.text(address))
    let result = image.walk(address, root: root)
    for step in result.steps {
      let names = mode.names(
        mode.flags(of: step.entry, level: step.level), level: step.level,
        of: mode.classify(step.entry, level: step.level)
      ).joined(separator: " ")
      let owner = image.owner(ofTable: step.table).map { "  in \($0)" } ?? ""
      print(
        "  \(mode.level(step.level).name)[\(step.index)] \(step.table.entry): \(step.entry.entry)"
          + "  \(names)\(owner)")
    }
    switch result.end {
    case .leaf(let physical, let size):
      let access = result.steps.last?.access ?? []
      print(
        "  -> \(physical.entry), a page of \(size.readableSize), effective:"
          + (access.isUser ? " user" : " kernel")
          + (access.isWritable ? " writable" : " read-only")
          + (access.isExecutable ? " executable" : " no-execute"))
    case .notPresent: print("  -> not present")
    case .reservedBits(let bits): print("  -> faults: reserved bits \(bits.entry)")
    case .unreadable(let reason):
      print(
        "  -> unknown: the table is \(reason == .outsideMemory ? "outside memory" : "not in the image")"
      )
    case .notCanonical: print("  -> not canonical")
    }
  }
}

struct Stats: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Page sizes, protections and splitting in figures.")

  enum Style: String, ExpressibleByArgument, CaseIterable { case table, cpa }

  @Argument(help: "A dump or an image.") var input: String?
  @OptionGroup var options: InputOptions
  @Option(help: "table, or cpa: the self-test's own line.") var style = Style.table

  func run() throws {
    let subject = try options.subject(input)
    let table = try options.chosen(subject)
    let statistics = DirectMapStatistics(table, pages: subject.facts.maxPfnMapped?.value)
    switch style {
    case .cpa: print(statistics.line)
    case .table: print(MappingReport.statistics(table), terminator: "")
    }
    try requireComplete(subject)
  }
}

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What the input is and what is known of its kernel.")

  @Argument(help: "A dump or an image.") var input: String?
  @OptionGroup var options: InputOptions
  @OptionGroup var report: ReportOptions<PlainFormat>

  func run() throws {
    let subject = try options.subject(input)
    try report.write { format, _ in
      switch format {
      case .json: try JSONReport.info(subject)
      case .text: TextReport.info(subject)
      }
    }
    try requireComplete(subject)
  }
}

struct ExtractCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Write a small image that holds the page tables and what they need, nothing else.")

  @Argument(help: "A memory image.") var image: String
  @Option(name: .shortAndLong, help: "The file to write.") var output: String
  @Flag(help: "Leave the kernel log out.") var noLog = false
  @Option(help: "A vmlinux, System.map or kallsyms text of the same build; repeatable.")
  var symbols: [String] = []

  func run() throws {
    let bytes = Extract.make(
      try KernelImage(
        try ImageFile.open(path: image), symbols: try symbols.map(SymbolFile.read)),
      keepLog: !noLog)
    try writeFile(output, bytes)
    print("\(output): \(UInt64(bytes.count).readableSize)")
  }
}

/// Says that an input was read in part, with the exit status that goes with it.
private func requireComplete(_ subject: Subject) throws {
  guard !subject.isComplete else { return }
  complain("ptdump-lint: \(subject.path) was read in part: ptdump-lint check says what is missing")
  throw ExitCode(3)
}
