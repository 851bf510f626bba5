internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Linter.Report {
  /// The same without the memory image and the mappings; what reports print of them is kept.
  ///
  /// A run over many inputs needs the memory of one then.
  ///
  /// - Parameter withFigures: keeps the figures of the kernel's table too, and the findings' walks.
  package func lettingGo(withFigures: Bool) -> Linter.Report {
    guard !isLetGo else { return self }
    var kept = self
    for index in findings.indices {
      kept.findings[index].keptLine = subject.line(of: findings[index].finding)
      kept.findings[index].keptSymbol = subject.imageSymbol(at: findings[index].start)
      if withFigures { kept.findings[index].keptWalk = findings[index].walk(in: subject) }
    }
    if withFigures, !subject.isLogAlone { kept.statistics = Statistics(subject) }
    kept.subject = subject.lettingGo(skipped: skippedForSymbols)
    return kept
  }

  /// Whether the memory image and the mappings are gone.
  var isLetGo: Bool { subject.kept != nil }

  /// The figures of the kernel's table, and what others draw beside them.
  struct Statistics: Sendable, Codable {
    let table: TableID
    let figures: TableStatistics
    let writableExecutablePages: UInt64
    /// What the direct map's tables map, by who they belong to; none where nothing tells it.
    let owners: [TableOwners.Share]
    /// All tables that were read.
    let tables: [TableFigures]
    /// What lies where in the machine's physical address space, as far as it is known.
    let memoryMap: [Resource]

    init(_ subject: Subject) {
      table = subject.kernel.id
      figures = TableStatistics(subject.kernel)
      writableExecutablePages = WritableExecutable(subject.kernel).pages
      owners = TableOwners(subject)?.shares(of: figures.directMapBytes) ?? []
      tables = subject.tables.map(TableFigures.init)
      memoryMap = subject.resources?.value ?? []
    }
  }
}

extension Subject {
  /// What reports print of an image and of mappings that are gone.
  struct Kept: Sendable, Codable {
    let isComplete: Bool
    let dumpLevel: UInt32?
    let tablesTakenForZero: Int
    let lacksSymbols: Bool
    let skippedForSymbols: Int
  }

  fileprivate func lettingGo(skipped: Int) -> Subject {
    var subject = self
    subject.letGo(
      keeping: Kept(
        isComplete: isComplete, dumpLevel: dumpLevel, tablesTakenForZero: tablesTakenForZero,
        lacksSymbols: lacksSymbols, skippedForSymbols: skipped))
    return subject
  }

  /// What makedumpfile was told to leave out, where the format tells.
  var dumpLevel: UInt32? { if let kept { kept.dumpLevel } else { image?.memory.dumpLevel } }
}
