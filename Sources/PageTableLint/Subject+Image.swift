internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What symbols and tables tell of the kernel image.
extension Subject {
  /// Where the image may be mapped: from _text to _end, in a space of its own to the end of its 2M page.
  ///
  /// The kernel keeps what lies up to the end of brk; _end is where brk ends at the latest. Nil
  /// without symbols. Source: `cleanup_highmap` and `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  var imageMapping: ClosedRange<UInt64>? {
    guard let start = symbols?["_text"], let end = symbols?["_end"], start < end else { return nil }
    guard architecture.imageSpace != nil else { return start...(end - 1) }
    let large = mode.level(2).span
    return start...((end &+ (large - 1)) & ~(large - 1) &- 1)
  }

  /// The whole pages of a section between two symbols, the last one rounded up; nil without them.
  func section(_ start: String, _ end: String) -> ClosedRange<UInt64>? {
    guard let low = symbols?[start], let high = symbols?[end] else { return nil }
    let page = mode.granule
    let first = (low &+ (page - 1)) & ~(page - 1)
    let last = (high &+ (page - 1)) & ~(page - 1)
    return first < last ? first...(last &- 1) : nil
  }

  /// The frames of the image's text and rodata; none without symbols, and in text dumps.
  var readOnlyImageFrames: [ClosedRange<UInt64>] {
    guard let image, let first = image.imageFrames?.lowerBound, let text = symbols?["_text"] else {
      return []
    }
    return image.readOnlyParts.compactMap { part in
      let start = first &+ (part.lowerBound &- text)
      let last = start &+ (part.upperBound &- part.lowerBound)
      return start <= last ? start...last : nil
    }
  }

  /// Whether mark_rodata_ro() has run, as far as the tables can tell: text or rodata is read-only.
  ///
  /// A page may be read-only earlier. Where no writable text is seen, nothing speaks against.
  /// An image's log is of the moment of its tables; a text's may go on for long after it.
  /// Source: `kernel_init`, init/main.c, 6.12.
  var imageIsSettled: Bool {
    if let settledAsAWhole { return settledAsAWhole }
    let leaves = kernel.runs(.image).filter(\.isLeaf)
    let early = architecture.earlyReadOnlySymbols
    func isEarly(_ run: Run) -> Bool {
      run.size == mode.granule && !run.access.isExecutable && !early.isEmpty
        && (symbols == nil || early.contains { symbols?[$0].map(run.contains) == true })
    }
    let isProtected = leaves.contains { !$0.access.isWritable && !isEarly($0) }
    let hasWritableText = leaves.contains { $0.isWritableExecutable }
    return isProtected || !hasWritableText || text != nil && architecture.dumpsAfterItsStart
      || image.map { architecture.hasProtectedImage($0.values, facts) == true } == true
      || image != nil
        && architecture.protectionMessage.map { log?.value.mentions($0) == true } == true
  }
}

extension Subject {
  /// How many tables were read as zeros, because the image leaves out zero pages.
  package var tablesTakenForZero: Int {
    if let kept { return kept.tablesTakenForZero }
    guard let memory = image?.memory, memory.leavesOutZeros else { return 0 }
    var found: Set<UInt64> = []
    for table in tables {
      let field = table.space.mode.tableField
      let reached = table.space.pointers.lazy.map { field.address(in: $0.entry) }
      found.formUnion(reached.filter(memory.isTakenForZero))
      if let root = table.root, memory.isTakenForZero(root) { found.insert(root) }
    }
    return found.count
  }
}

extension Table {
  /// The leaves of the direct map that map a run's frames.
  ///
  /// - Parameter base: the direct map's start.
  func directMapAliases(of run: Run, base: UInt64) -> [Run] {
    guard run.isLeaf, let physical = run.physical, let area = layout.first(.directMap),
      area.contains(base &+ physical)
    else { return [] }
    let span = space.mode.span(of: run)
    let size = run.repeats ? min(run.size, span) : run.size
    let start = base &+ physical
    let last = size - 1 > area.last - start ? area.last : start &+ (size - 1)
    return runs(from: start, through: last).filter(\.isLeaf)
  }
}

extension Run {
  /// Whether it is mapped, and can be written and run after all levels.
  var isWritableExecutable: Bool { isLeaf && access.isSuperset(of: [.write, .executeInKernel]) }

  /// Whether it is mapped, and can be run and not written after all levels.
  var isReadOnlyExecutable: Bool {
    isLeaf && !access.isWritable && access.contains(.executeInKernel)
  }
}
