internal import Dispatch
package import KernelText
package import KernelImages
package import MemoryImages
package import PageTables
internal import Synchronization

/// One input, read: what the rules judge.
package struct Subject: Sendable {
  package let path: String
  package let format: String
  package private(set) var tables: [Table]
  /// Whether the input is a kernel log and no tables were seen.
  package private(set) var isLogAlone = false
  package var facts: KernelFacts
  package private(set) var image: KernelImage?
  package private(set) var text: KernelText?
  /// The kernel's symbols, at the addresses of these tables.
  package private(set) var symbols: Symbols?
  /// What is left of the image and the mappings, where they are gone.
  private(set) var kept: Kept?
  /// The processes whose tables were read beside the kernel's.
  package private(set) var processes: [KernelProcess] = []
  /// What lies where in the machine's physical address space: /proc/iomem.
  package var resources: Fact<[Resource]>?
  /// Reads the kernel's own lists of what vmalloc has where; nil where the input does not tell it.
  package var vmallocPages: @Sendable () -> VmallocPages? = { nil }
  /// The kernel's own log, where the input brings one.
  package var log: Fact<String>?
  package var selfTests: [SelfTestJudge.Judgement] = []
  /// The processes that those reports may be of.
  var tasks: [KernelProcess] = []
  /// Whether `faults` holds what its log reports.
  package internal(set) var logIsJudged = false
  /// Reports of the log beyond those that are kept.
  package internal(set) var faultsLeftOut = 0
  /// Why the kernel panicked, as its log says.
  package internal(set) var panic: String?
  /// What the log says of its kernel and machine.
  package internal(set) var logFacts = LogFacts()
  /// What the log reports of page tables, judged by its own entries and by these tables.
  package internal(set) var faults: [FaultJudgement] = []
  /// The part of the address space that was asked for; nil for all of it.
  package private(set) var range: ClosedRange<UInt64>?
  /// The mappings that were asked for; nil for all of them.
  package internal(set) var filter: MappingFilter?
  /// The log that was given and is of another boot.
  package internal(set) var logRefusal: LogRefusal?
  /// Whether mark_rodata_ro() had run, by the whole input; nil where all of it is here.
  var settledAsAWhole: Bool?
  /// What the project says of its kernels.
  package var configuration: Configuration?
  /// What the input lacks, a line each; any makes the analysis incomplete.
  package var problems: [String] = []

  /// Told of each look, while rules judge.
  private(set) var looks: Looks?

  package var kernel: Table { tables[0] }
  /// The table with which programs run under page-table isolation.
  package var userTwin: Table? { tables.first { $0.id == .user } }
  package var mode: TableFormat { kernel.space.mode }

  /// The same with neighbouring leaves as one run where only what no rule judges tells them apart.
  var withoutIncidental: Subject {
    var judged = self
    for index in tables.indices
    where tables[index].space.hasPhysical && tables[index].space.tellsIncidental {
      judged.tables[index].space = tables[index].space.withoutIncidental
    }
    return judged
  }

  /// The same, where `looks` is told of what rules look at.
  func watched(by looks: Looks) -> Subject {
    var watched = self
    watched.looks = looks
    for index in tables.indices { watched.tables[index].looks = looks }
    return watched
  }

  /// Reads a memory image's tables.
  ///
  /// - Parameter roots: the tables to read; the kernel's and its user twin's where none are named.
  package init(
    image: KernelImage, roots: [(id: TableID, address: UInt64)]? = nil,
    progress: (@Sendable (Int) -> Void)? = nil
  ) {
    path = image.memory.path
    format = image.memory.format
    self.image = image
    text = nil
    symbols = image.symbols
    facts = image.facts
    log = image.log
    resources = image.resources
    vmallocPages = { image.vmallocPages() }
    problems = image.problems
    let layout = image.layout
    let twin: [(id: TableID, address: UInt64)] = image.userRoot.map { [(.user, $0)] } ?? []
    tables = (roots ?? [(.kernel, image.root)] + twin).map { root in
      Table(
        id: root.id, space: image.space(root: root.address, progress: progress),
        layout: layout, root: root.address)
    }
  }

  /// Reads the user halves of processes beside the tables that were read, several at a time.
  ///
  /// - Parameter progress: called now and then with the number of tables read.
  package mutating func add(
    _ processes: [KernelProcess], progress: (@Sendable (Int) -> Void)? = nil
  ) {
    guard let image else { return }
    self.processes += processes
    let layout = kernel.layout
    let range = range
    var tablesRead = 0
    for start in stride(from: 0, to: processes.count, by: Self.walkedTogether) {
      let part = processes[start...].prefix(Self.walkedTogether)
      image.willRead(part)
      let read = Mutex([Int: Table]())
      DispatchQueue.concurrentPerform(iterations: part.count) { index in
        var table = Table(of: part[start + index], in: image, layout)
        if let range { table.space = table.space.limited(to: range) }
        read.withLock { $0[start + index] = table }
      }
      let found = read.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value)
      tables += found
      tablesRead += found.reduce(0) { $0 + $1.space.tablesRead }
      progress?(tablesRead)
    }
  }

  /// Reads EFI's own tables beside the others; does nothing where there are none, or nothing tells.
  package mutating func readEFI() {
    guard let image, let root = image.efiRoot, !tables.contains(where: { $0.id == .efi }) else {
      return
    }
    var space = image.space(root: root)
    if let range { space = space.limited(to: range) }
    tables.append(Table(id: .efi, space: space, layout: image.layout, root: root))
  }

  /// Leaves out the processes that are not among those that still run.
  ///
  /// What was read as a table of one that ended may have been anything by then.
  package mutating func keep(_ running: [KernelProcess]) {
    let roots = Dictionary(running.map { ($0.pid, $0.root) }) { first, _ in first }
    processes.removeAll { roots[$0.pid] != $0.root }
    tables.removeAll { table in
      guard case .process(let pid, _) = table.id else { return false }
      return roots[pid] != table.root
    }
  }

  /// Processes whose tables are fetched and walked together, between two calls of `progress`.
  static let walkedTogether = 64

  /// Takes a text dump.
  ///
  /// - Parameters:
  ///   - files: symbols of the same build; the image's first page tells where KASLR moved them.
  ///   - release: the kernel's, where something tells it.
  /// - Throws: `ImageError` where `files` cannot be those of this kernel.
  package init(
    text: KernelText, path: String, symbols files: [Symbols] = [], release: Fact<String>? = nil
  ) throws(ImageError) {
    self.path = path
    image = nil
    self.text = text
    let architecture = text.space.mode.architecture
    format = architecture.textFormat
    let layout = architecture.layout(of: text, release: release?.value)
    let first = layout.runs(.image, in: text.space).first(where: \.isLeaf)?.start
    var moved: [Symbols] = []
    for file in files {
      moved.append(try file.moved(toText: first, in: text.space.mode, of: path))
    }
    symbols = Symbols(merging: moved)
    tables = [Table(id: .kernel, space: text.space, layout: layout, root: nil)]
    facts = architecture.facts(of: text, layout)
    facts.release = release
  }

  /// Takes a kernel log alone: what it reports is judged by the entries that it prints.
  ///
  /// - Parameter release: what the command line gives, where the log tells none.
  package init(log: LogReports, path: String, release: String? = nil) {
    self.path = path
    format = "log"
    isLogAlone = true
    image = nil
    text = nil
    symbols = nil
    facts = KernelFacts()
    logFacts = log.facts
    facts.release =
      (log.release ?? log.all.lazy.compactMap(\.release).first).map { Fact($0, "the log") }
      ?? release.map { Fact($0, "--release") }
    if let pti = log.facts.pti ?? log.all.lazy.compactMap(\.pti).first {
      facts.pti = Fact(pti, "the log")
    }
    if log.facts.isXenGuest == true { facts.xen = Fact(true, "the log") }
    let mode = log.all.last?.mode ?? .x86_64
    tables = [
      Table(
        id: .kernel, space: AddressSpace(mode: mode, runs: [], hasPhysical: false),
        layout: mode.architecture.unknownLayout(mode), root: nil)
    ]
    takeFacts(of: log)
    takeRegisters()
    logIsJudged = true
    panic = log.panic
    faultsLeftOut = log.leftOut
    // Tables are of one boot; a log alone may tell of several.
    faults = log.all.map { judge($0) }
  }

  /// Who the leaf table or the large entry of `address` belongs to, for a finding's evidence.
  func owner(of address: UInt64, in table: Table) -> String? {
    guard let image, let root = table.root, let step = image.walk(address, root: root).steps.last
    else { return nil }
    return image.owner(ofTable: step.table)
  }

  /// The flags of the leaf that maps `address`, which lies in a run: the run may have those of its
  /// first leaf.
  func flags(at address: UInt64, in run: Run, of table: Table) -> UInt64 {
    guard !table.space.tellsIncidental, let image, let root = table.root,
      let step = image.walk(address, root: root).steps.last
    else { return run.flags }
    return table.space.mode.flags(of: step.entry, level: step.level)
  }

  /// The owner of the table at `level` on the way to `address`.
  package func owner(of address: UInt64, level: Int) -> String? {
    guard let image,
      let step = image.walk(address).steps.first(where: { $0.level == level })
    else { return nil }
    return image.owner(ofTable: step.table)
  }

  /// The same input as far as `range` goes.
  package func limited(to range: ClosedRange<UInt64>) -> Subject {
    var limited = self
    limited.range = range
    limited.settledAsAWhole = imageIsSettled
    limited.narrow { $0.space.limited(to: range) }
    return limited
  }

  /// Replaces what was read of each table.
  mutating func narrow(_ part: (Table) -> AddressSpace) {
    for index in tables.indices { tables[index].space = part(tables[index]) }
  }

  /// Lets the image, the mappings and what reads them go.
  mutating func letGo(keeping kept: Kept) {
    self.kept = kept
    image = nil
    text = nil
    symbols = nil
    log = nil
    resources = nil
    vmallocPages = { nil }
    looks = nil
    narrow { AddressSpace(mode: $0.space.mode, runs: [], hasPhysical: false) }
    for index in tables.indices { tables[index].looks = nil }
  }

  /// Whether the whole input was seen.
  package var isComplete: Bool {
    if let kept { return kept.isComplete && problems.isEmpty }
    return problems.isEmpty && tables.allSatisfy(\.isComplete)
  }
}

/// What is left when the image, the mappings and what reads them are gone, and without the
/// configuration.
extension Subject: Codable {
  private enum CodingKeys: CodingKey {
    case path, format, tables, isLogAlone, facts, kept, processes, selfTests, logIsJudged
    case faultsLeftOut, panic, logFacts, faults, range, filter, logRefusal, problems
  }
}

extension Subject {
  /// Whether a self-test in the log cleared and set the global bit.
  package var globalTestRan: Bool { selfTests.contains { $0.testBit == .global } }
}
