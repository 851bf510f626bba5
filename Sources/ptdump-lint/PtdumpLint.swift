import ArgumentParser
import Glibc
import KernelText
import KernelImages
import MemoryImages
import PageTableLint
import PageTables

let version = "0.1.0"

@main
struct PtdumpLint: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ptdump-lint",
    abstract: "Reads a Linux kernel's page tables and says what is wrong with them.",
    version: version,
    subcommands: [
      Check.self, CPA.self, Dump.self, Walk.self, Stats.self, Info.self, Diff.self,
      ExtractCommand.self, Rules.self, Explain.self,
    ],
    defaultSubcommand: Check.self)

  /// Runs the command; wrong usage exits with 2, as the contract wants.
  static func main() {
    // A mapped file that shrinks while it is read.
    signal(SIGBUS) { _ in
      complain("ptdump-lint: an input shrank while it was read: copy it first, and try again")
      _exit(2)
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let status as ExitCode {
      Self.exit(withError: status)
    } catch let error as ImageError {
      complain("\(error)")
      Glibc.exit(2)
    } catch {
      let text = fullMessage(for: error)
      if exitCode(for: error) == .success {
        print(text)
        Glibc.exit(0)
      }
      complain(text)
      Glibc.exit(2)
    }
  }
}

enum FailOn: String, ExpressibleByArgument, CaseIterable {
  case error, warning, note, never
  var severity: Severity? { Severity(rawValue: rawValue) }
}

/// What the commands that read tables share.
struct InputOptions: ParsableArguments {
  @Option(help: "The paging mode: x86-64-4level or x86-64-5level.")
  var mode: String?

  @Option(help: "The kernel release, where the input does not tell it.")
  var release: String?

  @Option(help: "A kernel log; an image's own log is used without asking.")
  var log: String?

  @Option(help: "A vmlinux, System.map or kallsyms text of the same build; repeatable.")
  var symbols: [String] = []

  @Option(help: "Look at this range only: START-END in hexadecimal, END exclusive.")
  var range: String?

  @Option(help: "A fact that the input does not tell: pti, nx, pge or xen = on or off.")
  var assume: [String] = []

  @Option(help: "The root: kernel, user (the PTI twin), efi, pid:N, all, or a physical address.")
  var table = "kernel"

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

  var detail: TextReport.Detail { quiet ? .quiet : verbose ? .verbose : .normal }

  private func pagingMode() throws -> TableFormat? {
    guard let mode else { return nil }
    guard let known = TableFormat.named.first(where: { $0.name == mode }) else {
      throw ValidationError(
        "no paging mode is named \(mode); known: "
          + TableFormat.named.map(\.name).joined(separator: ", "))
    }
    return known.mode
  }

  /// What one subject is read from.
  enum Input {
    case runningKernel, kcore
    /// One file, or the parts of a split dump.
    case files([MappedFile])

    /// Whether its tables may move while they are read.
    var isLive: Bool {
      switch self {
      case .runningKernel, .kcore: true
      case .files: false
      }
    }
  }

  /// What the arguments name: the parts of a split dump are one, and nothing is the running kernel.
  func inputs(_ paths: [String]) throws -> [Input] {
    guard !paths.isEmpty else { return [.runningKernel] }
    let files = try paths.filter { $0 != KcoreImage.file }.map(ImageFile.content)
    return ImageFile.grouped(files).map { .files($0) }
      + paths.filter { $0 == KcoreImage.file }.map { _ in .kcore }
  }

  /// Reads an input of any kind; the kind is found from the content.
  func subject(_ path: String?) throws -> Subject {
    try subject(inputs([path].compactMap { $0 })[0])
  }

  func subject(_ input: Input) throws -> Subject {
    let mode = try pagingMode()
    var subject = try read(input, mode: mode)
    // Tables that are freed while they are read look unreadable: once more, then.
    var looks = 1
    while input.isLive, !subject.isComplete, looks < 3 {
      subject = try read(input, mode: mode)
      looks += 1
    }
    try apply(assume, to: &subject)
    if let release { subject.facts.release = subject.facts.release ?? Fact(release, "--release") }
    if let range { subject = subject.limited(to: try Self.addresses(range)) }
    return subject
  }

  private func read(_ input: Input, mode: TableFormat?) throws -> Subject {
    switch input {
    case .runningKernel: return try readRunningKernel(mode: mode)
    case .kcore: return try read(try KcoreImage(), mode: mode)
    case .files(let files):
      if let memory = try ImageFile.open(files, base: try baseAddress()) {
        return try read(memory, mode: mode)
      }
      let file = files[0]
      // debugfs and procfs files have no size until they are read.
      if file.size == 0 {
        let bytes = try file.wholeContent(limit: textLimit)
        return try dump(bytes.span, path: file.path, mode: mode)
      }
      var subject = try file.withBytes { try dump($0, path: file.path, mode: mode) }
      subject.problems += file.damage
      return subject
    }
  }

  private func baseAddress() throws -> UInt64? {
    guard let base else { return nil }
    guard let address = UInt64(hexText: base) else {
      throw ValidationError("--base takes a physical address in hexadecimal, not \(base)")
    }
    return address
  }

  /// A size as `--max-memory` takes it, in bytes; half of the machine's memory without.
  private static func bytes(_ size: String?) throws -> Int {
    // While subtrees are put together, and while rules judge, some of it is there twice.
    guard let size else { return sysconf(Int32(_SC_PHYS_PAGES)) / 8 * sysconf(Int32(_SC_PAGESIZE)) }
    let units: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
    let unit = size.last.flatMap { units[$0] }
    guard let number = Int(unit == nil ? size[...] : size.dropLast()), number > 0,
      number <= Int.max >> (unit ?? 0)
    else { throw ValidationError("--max-memory takes a size as 512M or 2G, not \(size)") }
    return number << (unit ?? 0)
  }

  private func read(_ memory: any MemoryImage, mode: TableFormat?) throws -> Subject {
    let address = try rootAddress()
    var image = try KernelImage(
      memory, mode: mode, root: address, symbols: try symbols.map(SymbolFile.read))
    if image.symbols == nil, let path = image.info?["BUILD-ID"].flatMap(SymbolFile.installed) {
      image = try KernelImage(
        memory, mode: mode, root: address, symbols: [try SymbolFile.read(path)])
    }
    image.budget = RunBudget(bytes: try Self.bytes(maxMemory))
    let progress = Progress()
    defer { progress.end() }
    var subject = Subject(image: image, roots: try roots(of: image, address)) {
      progress.report(tables: $0)
    }
    if table == "all" {
      subject.add(try processes(of: image)) { progress.report(tables: $0) }
    }
    return subject
  }

  /// The running kernel's own dump with what the system tells of it, else its memory.
  private func readRunningKernel(mode: TableFormat?) throws -> Subject {
    // A dump holds the kernel's own table only.
    switch try RunningKernel.open(needsMemory: table != "kernel", limit: textLimit) {
    case .memory(let memory): return try read(memory, mode: mode)
    case .text(let path, let bytes):
      let own = symbols.isEmpty ? RunningKernel.symbols : nil
      var subject = try dump(bytes.span, path: path, mode: mode, symbols: own.map { [$0] })
      subject.log = RunningKernel.log
      let facts = RunningKernel.facts
      subject.facts.release = facts.release
      subject.facts.pti = facts.pti ?? subject.facts.pti
      return subject
    }
  }

  /// `START-END` in hexadecimal; END is exclusive, and zero is the top of the address space.
  private static func addresses(_ text: String) throws -> ClosedRange<UInt64> {
    guard let range = ClosedRange(hexText: text) else {
      throw ValidationError("--range takes START-END in hexadecimal, not \(text)")
    }
    return range
  }

  private func rootAddress() throws -> UInt64? {
    if ["kernel", "user", "efi", "all"].contains(table) || table.hasPrefix("pid:") { return nil }
    guard let address = UInt64(hexText: table), address & 31 == 0 else {
      throw ValidationError(
        "--table takes kernel, user, efi, pid:N, all, or the physical address of a table")
    }
    return address
  }

  /// The roots that `--table` names; nil for those that are judged by default.
  private func roots(of image: KernelImage, _ address: UInt64?) throws -> [(
    name: String, address: UInt64
  )]? {
    if let address { return [(name: address.entry, address: address)] }
    if table.hasPrefix("pid:") {
      guard let pid = Int(table.dropFirst(4)) else {
        throw ValidationError("--table pid:N takes a number, not \(table.dropFirst(4))")
      }
      guard let process = try processes(of: image).first(where: { $0.pid == pid }) else {
        throw ValidationError("no process \(pid) with an address space of its own")
      }
      return [(name: process.label, address: process.root)]
    }
    guard table == "efi" else { return nil }
    guard let root = image.efiRoot else {
      throw ValidationError(
        "no EFI tables: the kernel did not boot by EFI, or no symbols tell where efi_mm lies")
    }
    return [(name: "efi", address: root)]
  }

  private func processes(of image: KernelImage) throws -> [KernelProcess] {
    // A vmlinux tells types; a System.map does not.
    let installed = image.info?["BUILD-ID"].flatMap(SymbolFile.installed)
    let types = try (symbols + [installed].compactMap { $0 }).lazy.compactMap(KernelTypes.dwarf)
      .first
    return try image.processes(types)
  }

  /// The table that `--table` names.
  func chosen(_ subject: Subject) throws -> Table {
    guard table == "user" else { return subject.kernel }
    guard let user = subject.tables.first(where: { $0.name == "user" }) else {
      throw ValidationError("no user twin: page-table isolation is off or unknown")
    }
    return user
  }

  /// Judges the self-tests of `--log`, else of the image's own log.
  func takeLog(_ subject: inout Subject) throws {
    let own = subject.log
    guard let text = try log.map(readText) ?? own?.value else { return }
    if let reason = subject.take(log: text, userRelease: release) {
      if log == nil {
        subject.problems.append("its own log contradicts it: \(reason)")
      } else {
        complain("ptdump-lint: the log is not used: it is of another boot: \(reason)")
      }
    }
  }

  private func apply(_ assumptions: [String], to subject: inout Subject) throws {
    for text in assumptions {
      let parts = text.split(separator: "=").map(String.init)
      guard parts.count == 2, parts[1] == "on" || parts[1] == "off" else {
        throw ValidationError("--assume takes FACT=on or FACT=off, not \(text)")
      }
      let fact = Fact(parts[1] == "on", "assumed")
      switch parts[0] {
      case "pti": subject.facts.pti = fact
      case "nx": subject.facts.nx = fact
      case "pge": subject.facts.pge = fact
      case "xen": subject.facts.xen = fact
      default: throw ValidationError("no fact is named \(parts[0]); known: pti, nx, pge, xen")
      }
    }
  }

  /// - Parameter known: symbols in place of those that `--symbols` names.
  private func dump(
    _ bytes: Span<UInt8>, path: String, mode: TableFormat?, symbols known: [Symbols]? = nil
  ) throws -> Subject {
    guard KernelText.matches(bytes) else {
      throw ImageError(
        path, offset: 0,
        "neither a memory image (ELF core, kdump, LiME, AVML) nor an x86 page-table dump",
        advice: "give one (docs/inputs.md tells what is read), or --base ADDRESS for raw memory")
    }
    return try Subject(
      text: KernelText.parse(bytes, mode: mode), path: path,
      symbols: try known ?? symbols.map(SymbolFile.read))
  }
}

/// More than any log or text dump has: that of a big machine has some 20 MB.
let textLimit = 1 << 30

func readText(_ path: String) throws -> String {
  let bytes = try ImageFile.content(path: path).wholeContent(limit: textLimit)
  return String(decoding: bytes, as: UTF8.self)
}
