import ArgumentParser
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

struct Info: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "What the input is and what is known of its kernel.",
    discussion: """
      EXAMPLES:
        ptdump-lint info vmcore
        ptdump-lint info --format json dmesg.txt

      EXIT STATUS:
        0  The input was read whole.
        2  Not read: wrong usage, unreadable input, no such table.
        3  Read in part: tables are missing, or the input is cut off.
      """)

  @Argument(help: "A dump, an image or a kernel log; the running kernel without one.")
  var input: String?
  @OptionGroup(title: "Input options") var options: InputOptions
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>

  var reads: [String] { options.reads + [input].compactMap { $0 } }
  var writes: [String] { report.writes }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    let subject = try options.subject(input, judgingLog: true)
    try report.write { format, _ in
      switch format {
      case .json: try JSONReport.info(subject)
      case .text: TextReport.info(subject)
      }
    }
    try requireComplete(subject)
  }
}

struct ExtractCommand: ParsableCommand, ReadsInputs {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Write a small image that holds the page tables and what they need, nothing else.",
    discussion: """
      EXAMPLES:
        ptdump-lint extract vmcore -o tables.elf
        ptdump-lint extract --no-log vmcore -o tables.elf

      EXIT STATUS:
        0  The image was written.
        2  Not written: wrong usage, or an input cannot be read.
        3  Written in part: the image lacks tables.
      """)

  @Argument(help: "A memory image.") var image: String
  @Option(name: .shortAndLong, help: "The file to write.") var output: String
  @Flag(help: "Leave the kernel log out.") var noLog = false
  @Option(help: "A vmlinux, System.map or kallsyms text of the same build; repeatable.")
  var symbols: [String] = []
  @OptionGroup(title: "Report options") var report: ReportOptions<PlainFormat>

  var reads: [String] { symbols + [image] }
  var writes: [String] { report.writes + [output] }
  var noConfinement: Bool { report.noConfinement }

  func run() throws {
    ProtectedFiles.add(symbols + [image])
    let kernel = try KernelImage(
      try ImageFile.open(path: image), symbols: try symbols.map(SymbolFile.read))
    let bytes = Extract.make(kernel, keepLog: !noLog)
    try writeFile(output, bytes)
    try report.write { format, _ in
      switch format {
      case .text: "\(output): \(UInt64(bytes.count).readableSize)\n"
      case .json: try JSONReport.extract(output, bytes: bytes.count, of: image)
      }
    }
    try requireComplete(Subject(image: kernel))
  }
}

/// Says that an input was read in part, with the exit status that goes with it.
func requireComplete(_ subject: Subject) throws {
  guard !subject.isComplete else { return }
  complain("ptdump-lint: \(subject.path) was read in part: ptdump-lint check says what is missing")
  throw ExitCode(3)
}
