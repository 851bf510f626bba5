internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What an entry of the kernel's half is that is not present and not empty.
///
/// Sources: arch/x86/mm/pat/set_memory.c (`__change_page_attr` keeps the accessed bit and the rest
/// of the protection), arch/x86/include/asm/pgtable-invert.h and pgtable_64.h (swap entries), 6.12.
enum Remnant {
  /// What change_page_attr() leaves of a page that it takes away, or a placeholder (PAGE_NONE).
  case ofKernel
  /// Marked PROT_NONE: PT206's.
  case protNone
  /// A swap or migration entry.
  case swap
  /// The frame stands in it as it is, and memory lies there.
  case plainFrame
  case unknown

  /// - Parameters:
  ///   - flags: a run's flags: the bits outside the frame, and the frame's top bit.
  ///   - frames: whether one of the run's frames is memory of the machine.
  init(_ flags: UInt64, mode: TableFormat, isMemory frames: () -> Bool) {
    let accessed: UInt64 = 1 << 5
    let dirty: UInt64 = 1 << 6
    if flags & mode.global != 0 {
      self = .protNone
    } else if flags & mode.invertedFrame == 0, frames() {
      self = .plainFrame
    } else if flags & ~(accessed | dirty) == 0, flags != 0 {
      // Knights Landing sets them in empty entries: _PAGE_KNL_ERRATUM_MASK.
      self = .ofKernel
    } else if flags & accessed != 0, flags & mode.invertedFrame != 0 {
      self = .ofKernel
    } else if flags & 0x1f1 == 0, flags & mode.invertedFrame != 0 {
      // Of the low bits a swap entry has soft-dirty, uffd-wp and exclusive (1 to 3) at most.
      self = .swap
    } else {
      self = .unknown
    }
  }
}

extension Subject {
  /// The entries of the kernel's half of `table` that are not present and are what `wanted` says.
  func remnants(in table: Table, where wanted: (Remnant) -> Bool) -> [Run] {
    var found: [Run] = []
    var entries = TableEntries(of: table, in: self)
    for run in table.notPresent where !isKFENCE(run) {
      let remnant = Remnant(run.flags, mode: table.space.mode) {
        holdsMemoryFrame(run, &entries)
      }
      guard looks?.isStopped != true else { break }
      if wanted(remnant) { found.append(run) }
    }
    return found
  }

  /// Whether a run lies among KFENCE's pages, whose present bit it clears and nothing else.
  ///
  /// Source: `kfence_protect_page`, arch/x86/include/asm/kfence.h, 6.12.
  func isKFENCE(_ run: Run) -> Bool {
    guard let pool = image?.kfencePool else { return false }
    return pool.contains(run.start) && pool.contains(run.last)
  }

  /// Whether an entry of a run that is not present names memory of the machine, page 0 left out.
  private func holdsMemoryFrame(_ run: Run, _ entries: inout TableEntries?) -> Bool {
    let level = Int(run.level)
    let span = entries?.mode.level(level).span ?? 0
    var address = run.start
    // A hostile image may hold a run of any length: the first entries tell.
    var left = 4096
    while left > 0, mayLook(8), let rest = entries?.from(address, level: level) {
      for entry in rest.prefix(left) {
        if entries?.namesMemory(entry) == true { return true }
        left -= 1
        guard mayLook(1), run.last - address >= span else { return false }
        address += span
      }
    }
    return false
  }
}

/// The entries of one table of an image, until another one is asked for: neighbours share it.
private struct TableEntries {
  let mode: TableFormat
  private let image: KernelImage
  private let root: UInt64
  private var level = 0
  /// What the table maps.
  private var range: ClosedRange<UInt64> = 0...0
  private var entries: [UInt64] = []

  /// Nil where the input is no image.
  init?(of table: Table, in subject: Subject) {
    guard let image = subject.image, let root = table.root else { return nil }
    self.image = image
    self.root = root
    mode = table.space.mode
  }

  /// The entries from that of an address on, at the level at which its walk ends.
  mutating func from(_ address: UInt64, level: Int) -> ArraySlice<UInt64>? {
    let span = mode.level(level).span
    if level != self.level || !range.contains(address) {
      guard let step = image.walk(address, root: root).steps.last, step.level == level else {
        return nil
      }
      var read = mode.emptyTable(mode.level(level))
      guard (try? mode.readTable(at: step.table, from: image.memory, into: &read)) != nil else {
        return nil
      }
      let start = (address & ~(span - 1)) &- UInt64(step.index) &* span
      self.level = level
      range = start...(start &+ (UInt64(read.count) &* span &- 1))
      entries = read
    }
    return entries[Int((address &- range.lowerBound) / span)...]
  }

  func namesMemory(_ entry: UInt64) -> Bool {
    let frame = entry & mode.tableAddress
    return frame != 0 && image.isMemory(frame)
  }
}

extension Rule {
  /// One finding an area of the entries that are not present and are what `wanted` says.
  static func findRemnants(
    _ rule: Rule, _ subject: Subject, where wanted: (Remnant) -> Bool, _ what: String, help: String
  ) -> [Finding] {
    subject.tables.flatMap { table in
      grouped(subject.remnants(in: table, where: wanted), table).map { area, runs in
        var lines = evidence(runs, subject, table)
        if let first = runs.first, let root = table.root,
          let entry = subject.image?.walk(first.start, root: root).steps.last?.entry
        {
          lines.insert(
            "the entry of \(table.space.mode.text(first.start)) is \(entry.entry)", at: 0)
        }
        return Finding(
          rule, "\(total(runs)) \(what)", in: table, runs: runs, area: area, evidence: lines,
          help: help)
      }
    }
  }
}
