import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

/// What the commands that read tables share.
struct InputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The paging mode, where the input does not tell it: \(InputReader.modes).",
      valueName: "name"))
  var mode: String?

  @Option(help: "The kernel release, where the input does not tell it.")
  var release: String?

  @Option(help: "A kernel log of the same boot; an image's own log is used without asking.")
  var log: String?

  @Option(help: "A vmlinux, System.map or kallsyms text of the same build; repeatable.")
  var symbols: [String] = []

  @Option(
    help: ArgumentHelp(
      "Look at this range only: START-END, END exclusive, or START+SIZE; in hexadecimal or symbols.",
      valueName: "range"))
  var range: String?

  @Option(
    help: ArgumentHelp(
      "A fact that the input does not tell: \(Assumption.names) = on or off; repeatable.",
      valueName: "fact=value"))
  var assume: [String] = []

  @Option(help: "The root: kernel, user (the PTI twin), efi, pid:N, all, or a physical address.")
  var table: String?

  @Option(help: "Where the memory of a raw image starts: a physical address in hexadecimal.")
  var base: String?

  @Option(
    help: ArgumentHelp(
      "The memory that what walks find may take: 512M, 2G. An eighth of the machine's without it.",
      valueName: "size"))
  var maxMemory: String?

  @Flag(name: .shortAndLong, help: "Say only what is asked for.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Also list the rules that could not run.")
  var verbose = false

  /// The files that are read beside the input.
  var reads: [String] { symbols + [log].compactMap { $0 } }

  var detail: TextReport.Detail { quiet ? .quiet : verbose ? .verbose : .normal }

  func validate() throws { _ = try reader() }

  /// A reader that does as the options say.
  func reader() throws -> InputReader {
    var reader = InputReader()
    do {
      reader.mode = try mode.map(InputReader.mode)
      reader.table = try table.map { try TableChoice($0) } ?? .kernel
      reader.assumptions = try assume.map { try Assumption($0) }
      _ = try range.map { try AddressExpression($0) }
    } catch let error as UsageError {
      throw ValidationError(error.description)
    }
    reader.progress = { Progress.shared.report(tables: $0) }
    reader.release = release
    reader.log = log.map { .file($0) }
    reader.symbols = symbols
    reader.base = try base.map { text in
      guard let address = UInt64(hexText: text) else {
        throw ValidationError("--base takes a physical address in hexadecimal, not \(text)")
      }
      return address
    }
    reader.maxMemory = try maxMemory.map { size in
      guard let bytes = (UInt64(sizeText: size) ?? UInt64(size)).flatMap(Int.init(exactly:)),
        bytes > 0
      else { throw ValidationError("--max-memory takes a size as 512M or 2G, not \(size)") }
      return bytes
    }
    return reader
  }

  /// Reads the one input of a command; without a path it is the running kernel.
  func subject(
    _ path: String?, judgingLog: Bool = false, tellingIncidental: Bool = true,
    filter: MappingFilter? = nil
  ) throws -> Subject {
    try subject(
      InputReader.inputs([path].compactMap { $0 })[0], judgingLog: judgingLog,
      tellingIncidental: tellingIncidental, filter: filter)
  }

  /// Reads an input of any kind; its content tells which.
  ///
  /// - Parameters:
  ///   - judgingLog: takes its own log where none is given.
  ///   - tellingIncidental: runs are told apart by incidental flags, too, as a filter needs it.
  func subject(
    _ input: InputReader.Input, judgingLog: Bool = false, tellingIncidental: Bool = true,
    filter: MappingFilter? = nil
  ) throws -> Subject {
    if case .files(let files) = input { ProtectedFiles.add(files.map(\.path)) }
    ProtectedFiles.add(symbols + [log].compactMap { $0 })
    var reader = try reader()
    reader.tellsIncidental = tellingIncidental || filter != nil
    var subject = try reader.read(input)
    if judgingLog || log != nil { try reader.takeLog(&subject) }
    if let range {
      subject = subject.limited(to: try AddressExpression(range).range(in: subject))
    }
    if let filter { subject = subject.limited(to: filter) }
    return subject
  }

  /// The table that `--table` names.
  func chosen(_ subject: Subject) throws -> Table {
    try requireTables(subject)
    return try reader().chosen(subject)
  }

  /// Refuses a log alone where a command cannot do without tables.
  func requireTables(
    _ subject: Subject,
    advice: String = "give a dump or an image, or ask ptdump-lint fault what the log reports"
  ) throws {
    guard subject.isLogAlone else { return }
    throw ImageError(
      subject.path, offset: 0, "a kernel log alone: it holds no tables", advice: advice)
  }
}
