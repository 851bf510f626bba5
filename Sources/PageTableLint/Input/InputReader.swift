internal import Glibc
package import KernelImages
package import MemoryImages
package import PageTables

/// Reads inputs of every kind, for the commands and for the library.
///
/// It is what the options that commands share come to: each is a property.
package struct InputReader: Sendable {
  /// The paging mode, where the input does not tell it.
  package var mode: TableFormat?
  /// The kernel release, where the input does not tell it.
  package var release: String?
  /// A kernel log beside the input.
  package var log: LogSource?
  /// Files of symbols.
  package var symbols: [String] = []
  package var assumptions: [Assumption] = []
  package var table = TableChoice.kernel
  /// Where the memory of a raw image starts.
  package var base: UInt64?
  /// The bytes that the runs of walks may take; an eighth of the machine's memory where nil.
  package var maxMemory: Int?
  /// Whether walks find leaves that differ in incidental flags alone as runs of their own; no rule
  /// and no figure tells them apart.
  package var tellsIncidental = true
  /// Called now and then with the number of tables read.
  package var progress: (@Sendable (Int) -> Void)?

  package init() {}

  /// A log, and where it is from.
  package enum LogSource: Sendable {
    case file(String)
    case text(String)
  }

  /// What the user says of the kernel, for what has no tables.
  package var assumedFacts: KernelFacts {
    var facts = KernelFacts()
    for assumption in assumptions { assumption.apply(to: &facts) }
    return facts
  }

  /// What one subject is read from.
  package enum Input: Sendable {
    case runningKernel, kcore
    /// One file, or the parts of a split dump.
    case files([MappedFile])

    /// Whether its tables may move while they are read.
    package var isLive: Bool {
      switch self {
      case .runningKernel, .kcore: true
      case .files: false
      }
    }
  }

  /// More than any log or text dump has: that of a big machine has some 20 MB.
  package static let textLimit = 1 << 30

  /// The text of a file, whatever packs it.
  ///
  /// - Parameter limit: its size in bytes at most, unpacked.
  package static func text(of path: String, limit: Int = textLimit) throws(ImageError) -> String {
    let file = try ImageFile.content(path: path, limit: UInt64(limit))
    return String(decoding: try file.wholeContent(limit: limit), as: UTF8.self)
  }

  /// What paths name: the parts of a split dump are one, and nothing is the running kernel.
  package static func inputs(_ paths: [String]) throws(ImageError) -> [Input] {
    guard !paths.isEmpty else { return [.runningKernel] }
    var files: [MappedFile] = []
    for path in paths where path != KcoreImage.file {
      files.append(try ImageFile.content(path: path))
    }
    return ImageFile.grouped(files).map { .files($0) }
      + paths.filter { $0 == KcoreImage.file }.map { _ in .kcore }
  }

  /// The mode that `--mode` names.
  package static func mode(named name: String) throws(UsageError) -> TableFormat {
    guard let known = TableFormat.named.first(where: { $0.name == name }) else {
      throw UsageError("no paging mode is named \(name); known: \(modes)")
    }
    return known.mode()
  }

  /// The names that `--mode` takes.
  package static var modes: String {
    TableFormat.named.map(\.name).joined(separator: ", ")
  }

  /// Reads an input; its content tells what it is.
  ///
  /// - Throws: `ImageError` where it cannot be read, or has no such table.
  package func read(_ input: Input) throws(ImageError) -> Subject {
    var subject = try readOnce(input)
    // Tables that are freed while they are read look unreadable: once more, then.
    var looks = 1
    while input.isLive, !subject.isComplete, looks < 3 {
      subject = try readOnce(input)
      looks += 1
    }
    for assumption in assumptions { assumption.apply(to: &subject.facts) }
    if let release { subject.facts.release = subject.facts.release ?? Fact(release, "--release") }
    subject.judgeSelfTests(subject.selfTests.map(\.run), userRelease: release)
    return subject
  }

  private func readOnce(_ input: Input) throws(ImageError) -> Subject {
    switch input {
    case .runningKernel: return try readRunningKernel()
    case .kcore: return try read(try KcoreImage(), running: RunningKernel.symbols)
    case .files(let files):
      if let memory = try ImageFile.open(files, base: base) { return try read(memory) }
      let file = files[0]
      var subject = try file.withText(limit: Self.textLimit) { bytes throws(ImageError) in
        try dump(bytes, path: file.path)
      }
      subject.problems += file.damage
      return subject
    }
  }

  /// The running kernel's own dump with what the system tells of it, else its memory.
  private func readRunningKernel() throws(ImageError) -> Subject {
    // A dump holds the kernel's own table only.
    switch try RunningKernel.open(needsMemory: table != .kernel, limit: Self.textLimit) {
    case .memory(let memory): return try read(memory, running: RunningKernel.symbols)
    case .text(let path, let bytes):
      let own = symbols.isEmpty ? RunningKernel.symbols() : nil
      var subject = try dump(bytes.span, path: path, symbols: own.map { [$0] })
      subject.log = RunningKernel.log
      let facts = RunningKernel.facts
      subject.facts.release = facts.release
      subject.facts.pti = facts.pti ?? subject.facts.pti
      return subject
    }
  }

  func symbolFiles() throws(ImageError) -> [Symbols] {
    var files: [Symbols] = []
    for path in symbols { files.append(try SymbolFile.read(path)) }
    return files
  }
}

/// Memory images.
extension InputReader {
  /// - Parameter running: what the running kernel tells of its symbols, where the memory is its own.
  package func read(
    _ memory: any MemoryImage, running: () -> Symbols? = { nil }
  ) throws(ImageError) -> Subject {
    func kernelImage(_ symbols: [Symbols]) throws(ImageError) -> KernelImage {
      try KernelImage(
        memory, mode: mode, root: table.root, symbols: symbols,
        runBytes: maxMemory ?? Self.memoryToTake, tellsIncidental: tellsIncidental)
    }
    var image = try kernelImage(symbolFiles())
    if image.symbols == nil, let told = running() {
      image = try kernelImage([told])
    }
    if image.symbols == nil, let path = image.info?["BUILD-ID"].flatMap(SymbolFile.installed) {
      image = try kernelImage([SymbolFile.read(path)])
    }
    var subject = Subject(image: image, roots: try roots(of: image), progress: progress)
    switch table {
    case .all:
      try addProcesses(to: &subject)
    case .user: _ = try subject.user()
    default: break
    }
    return subject
  }

  /// An eighth of the machine's memory: while subtrees are put together, and while rules judge, some
  /// of it is there twice.
  private static var memoryToTake: Int {
    sysconf(Int32(_SC_PHYS_PAGES)) / 8 * sysconf(Int32(_SC_PAGESIZE))
  }

  /// The roots to read; nil for those that are judged by default.
  private func roots(
    of image: KernelImage
  ) throws(ImageError) -> [(id: TableID, address: UInt64)]? {
    switch table {
    case .kernel, .user, .all: return nil
    case .address(let address):
      if let problem = image.whyNoTopTable(at: address) {
        throw ImageError(
          image.memory.path, "no table at \(address.entry): \(problem)",
          advice: "give the physical address of a top table")
      }
      return [(id: .root(address), address: address)]
    case .process(let pid):
      guard
        let process = try processes(of: image, try types(of: image)).first(where: { $0.pid == pid })
      else {
        throw ImageError(
          image.memory.path, "no process \(pid) with an address space of its own",
          advice: "--table all reads them all")
      }
      return [(id: .process(process), address: process.root)]
    case .efi:
      guard let root = image.efiRoot else {
        throw ImageError(
          image.memory.path,
          "no EFI tables: the kernel did not boot by EFI, or no symbols tell where efi_mm lies",
          advice: "give --symbols, or the physical address of the table")
      }
      return [(id: .efi, address: root)]
    }
  }

  private func processes(
    of image: KernelImage, _ types: KernelTypes?
  ) throws(ImageError) -> [KernelProcess] {
    // A task may end while the list is followed through it.
    for _ in 0..<(image.memory.isRunning ? 2 : 0) {
      if let found = try? image.processes(types) { return found }
    }
    return try image.processes(types)
  }

  /// Reads the tables of all processes beside those that were read.
  ///
  /// - Throws: `ImageError` where nothing tells which there are; the subject stays as it was.
  package func addProcesses(to subject: inout Subject) throws(ImageError) {
    guard let image = subject.image else { return }
    let types = try types(of: image)
    subject.add(try processes(of: image, types), progress: progress)
    if image.memory.isRunning { subject.keep(try processes(of: image, types)) }
  }

  /// The kernel's types out of a vmlinux, which a System.map does not have; nil without one.
  private func types(of image: KernelImage) throws(ImageError) -> KernelTypes? {
    let installed = image.info?["BUILD-ID"].flatMap(SymbolFile.installed)
    for path in symbols + [installed].compactMap({ $0 }) {
      if let types = try KernelTypes.dwarf(path) { return types }
    }
    return nil
  }

  /// The table that was asked for.
  ///
  /// - Throws: `ImageError` where all were.
  package func chosen(_ subject: Subject) throws(ImageError) -> Table {
    switch table {
    case .user: return try subject.user()
    case .all:
      throw ImageError(
        subject.path, "--table all names several tables",
        advice: "name one: kernel, user, efi, pid:N or an address")
    default: return subject.kernel
    }
  }
}

extension Subject {
  fileprivate func user() throws(ImageError) -> Table {
    guard let user = userTwin else {
      throw ImageError(
        path, "no user twin: page-table isolation is off or unknown",
        advice: "name another table, or none")
    }
    return user
  }
}

extension KernelImage {
  /// Why a physical address is no top table's; nil where it may be one.
  fileprivate func whyNoTopTable(at address: UInt64) -> String? {
    var entries = [UInt64](repeating: 0, count: mode.root.entries)
    do {
      try mode.readTable(at: address, from: memory, into: &entries)
    } catch {
      return error == .outsideMemory
        ? "the machine has no memory there" : "the image does not hold that page"
    }
    return entries.allSatisfy { $0 == 0 } ? "the page is empty" : nil
  }
}
