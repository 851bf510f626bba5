internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Pages of the direct map that kept what a mapping asked for that is gone.
  static let staleAttribute = Rule(
    id: "PT305", name: "stale-attribute", severity: .warning,
    summary: "pages of the direct map are read-only or uncached, and nothing wants it",
    needs: [
      .physicalAddresses, .directMapBase, .area(.directMap), .area(.image),
      .wholeKernelHalf, .notXen("page tables are read-only in the direct map"),
    ],
    documentation: """
      What: a read-only and NX page of the direct map amid plain writable memory. No mapping of its
      frame elsewhere in the kernel half is read-only. It may be a 4K page in a large page's worth
      of which most is plain. Or it is a whole table or a large page beside one that is plain. An
      uncached page of that kind without any other mapping is a note. A whole large page's worth is
      a warning, where the log names no graphics driver.
      Why: the frame was code or constants once (a module, a BPF program) and was freed without its
      protection being taken back. Whoever gets the page next cannot write it: the kernel oopses.
      How Linux should look: vfree() makes the direct map writable again where the caller asked for
      it (VM_FLUSH_RESET_PERMS). The frames of the image's text and rodata, of the IDT, of modules
      and BPF programs are read-only. Each is mapped read-only elsewhere, too.
      False alarm: the rule leaves out the real-mode trampoline, below 1 MiB, and the image's text
      and rodata. If their own mapping is wrong, that is another defect. It also leaves out the
      memory of a crash kernel, whose pages are read-only far and wide. On 32 bits the rule is
      silent without symbols, which tell where in the direct map the image lies. Uncached pages may
      belong to a graphics driver's pool, which user programs map. iounmap() also leaves memory that
      ioremap() had made uncached in the direct map as it is. So they are a note.
      Fix: find who freed code without VM_FLUSH_RESET_PERMS, or called set_memory_ro() without its
      way back.
      References:
      - mm/vmalloc.c, Linux 6.12: vm_reset_perms
      - arch/x86/realmode/init.c, Linux 6.12: set_real_mode_permissions
      - arch/x86/kernel/machine_kexec_64.c, Linux 6.12: kexec_mark_crashkres
      - arch/x86/mm/ioremap.c, Linux 6.12: __ioremap_caller, iounmap
      """, comparesParts: true,
    givesWayTo: ["PT307", "PT311", "PT405", "PT501", "PT504", "PT505", "PT510"]
  ) { rule, subject in
    let table = subject.kernel
    guard let area = table.layout.first(.directMap) else { return [] }
    let stale = staleParts(of: table, subject)
    func finding(_ runs: [Run], _ severity: Severity?, _ message: String, help: String) -> [Finding]
    {
      runs.isEmpty
        ? []
        : [
          Finding(
            rule, severity: severity, "\(total(runs)) of the direct map \(message)", in: table,
            runs: runs, area: area, evidence: evidence(runs, subject, table), help: help,
            // Where a table is wrong or an entry lost, the mapping that wants it may have been.
            premises: table.layout.areas.filter { codeAreas.contains($0.kind) }.map {
              $0.start...$0.last
            })
        ]
    }
    let span = table.space.mode.level(2).span
    let isLarge = { (run: Run) in run.level > 1 || run.size >= span }
    let large = subject.mayHaveGraphicsPool ? [] : stale.uncached.filter(isLarge)
    let small = stale.uncached.filter { subject.mayHaveGraphicsPool || !isLarge($0) }
    let uncached = "uncached amid plain memory, and mapped nowhere else"
    // What a module has lost is another rule's: its pages are wanted read-only.
    let lost = RangeSet(stale.readOnly.isEmpty ? [] : VmallocCheck(subject, table).lostFrames)
    let (mode, page) = (table.space.mode, table.space.mode.granule)
    let readOnly =
      lost.isEmpty
      ? stale.readOnly
      : stale.readOnly.flatMap { lost.pagesOutside(of: $0, page: page, span: mode.span(of: $0)) }
    return finding(
      readOnly, nil, "read-only amid writable memory, and no other mapping wants it",
      help: "find who freed code without VM_FLUSH_RESET_PERMS")
      + finding(large, nil, uncached, help: "find who did not call set_memory_wb()")
      + finding(
        small, .note, uncached,
        help: "a graphics driver's pool looks so; else find who did not call set_memory_wb()")
  }

  /// The areas in which code and constants have their own mapping.
  private static let codeAreas: Set<Area.Kind> = [.vmalloc, .modules]

  /// What the direct map has read-only or uncached and no other mapping explains.
  private static func staleParts(
    of table: Table, _ subject: Subject
  ) -> (readOnly: [Run], uncached: [Run]) {
    let mode = table.space.mode
    let mebibyte: UInt64 = 1 << 20
    let others = table.runsOutsideDirectMap.filter(\.isLeaf)
    let crash = (subject.resources?.value ?? []).filter { $0.name == "Crash kernel" }
    let protected =
      subject.readOnlyImageFrames + crash.map { $0.start...$0.last } + [0...(mebibyte - 1)]
    let anywhere = RangeSet(framesOf: others, mode, and: protected)
    let readOnly = RangeSet(
      framesOf: others.filter { !$0.access.isWritable }, mode, and: protected)
    var stale: (readOnly: [Run], uncached: [Run]) = ([], [])
    let page = mode.granule
    for stretch in table.stretches(.directMap) {
      guard var runs = Surroundings(stretch, mode) else { continue }
      for index in runs.indices where runs[index].isLeaf {
        let run = runs[index]
        let isReadOnly = !run.access.isWritable && !run.access.isExecutable
        let isUncached = run.access.isWritable && mode.memoryType(of: run) != .writeBack
        guard isReadOnly || isUncached, runs.arePlain(around: index) else { continue }
        let parts = (isReadOnly ? readOnly : anywhere).pagesOutside(
          of: run, page: page, span: mode.span(of: run))
        for part in parts {
          if isReadOnly {
            Run.append(part, to: &stale.readOnly, mode: mode)
          } else {
            Run.append(part, to: &stale.uncached, mode: mode)
          }
        }
      }
    }
    return stale
  }
}

/// Runs side by side, and what lies around each, where they are asked for in order.
private struct Surroundings {
  // The first and the last of them are clipped.
  private let first: Run
  private let last: Run
  private let between: ArraySlice<Run>
  let indices: Range<Int>
  let mode: TableFormat
  /// The bytes of a large page.
  private let span: UInt64
  /// The large page's worth that was looked at last.
  private var seen: (block: UInt64, isPlain: Bool)?

  init?(_ runs: ClippedRuns, _ mode: TableFormat) {
    guard let first = runs.first, let last = runs.last else { return nil }
    self.first = first
    self.last = last
    between = runs.pieces.dropFirst().first ?? []
    indices = runs.indices
    self.mode = mode
    span = mode.level(2).span
  }

  @inline(__always) subscript(index: Int) -> Run {
    if index == indices.lowerBound { return first }
    return index == indices.upperBound - 1 ? last : between[index]
  }

  /// Whether a run lies amid plain writable memory: it is less than the large page's worth in which
  /// it lies, or one beside it is plain.
  mutating func arePlain(around index: Int) -> Bool {
    let run = self[index]
    let block = run.start & ~(span - 1)
    guard run.level == 1, run.size < span else {
      return block >= span && isPlain(block - span, near: index)
        || run.last < .max - span && isPlain((run.last &+ 1) & ~(span - 1), near: index)
    }
    if let seen, seen.block == block { return seen.isPlain }
    let isPlain = isPlain(block, near: index)
    seen = (block, isPlain)
    return isPlain
  }

  /// Whether most of the large page's worth from `block` on is plain writable memory.
  ///
  /// - Parameter index: of a run that lies in it or beside it.
  private func isPlain(_ block: UInt64, near index: Int) -> Bool {
    let end = block + (span - 1)
    var next = index
    while next > indices.lowerBound, self[next - 1].last >= block { next -= 1 }
    var plain: UInt64 = 0
    while next < indices.upperBound, self[next].start <= end {
      let run = self[next]
      next += 1
      guard run.last >= block, run.isLeaf, run.access.isWritable,
        mode.memoryType(of: run) == .writeBack
      else { continue }
      plain &+= min(run.last, end) - max(run.start, block) + 1
    }
    return plain > span / 2
  }
}

extension RangeSet {
  /// The frames that some runs map, and other ranges.
  fileprivate init(
    framesOf runs: [Run], _ mode: TableFormat, and others: [ClosedRange<UInt64>]
  ) {
    self.init(
      others
        + runs.compactMap { run in
          run.physical.map { physical in
            let size = run.repeats ? Swift.min(run.size, mode.span(of: run)) : run.size
            return physical...(physical &+ (size &- 1))
          }
        })
  }

  /// The pages of a run whose frames do not start in these.
  ///
  /// - Parameters:
  ///   - page: the size of a page in bytes.
  ///   - span: that of the run's leaves.
  fileprivate func pagesOutside(of run: Run, page: UInt64, span: UInt64) -> [Run] {
    guard let physical = run.physical else { return [] }
    if run.repeats { return contains(physical) ? [] : [run] }
    let frames = physical...(physical &+ (run.size - 1))
    guard overlaps(frames) else { return [run] }
    return gaps(in: frames).compactMap { gap in
      let first = (gap.lowerBound &+ (page - 1)) & ~(page - 1)
      let last = gap.upperBound | (page - 1)
      return first > last
        ? nil
        : run.clipped(
          from: run.start &+ (first - physical), through: run.start &+ (last - physical),
          span: page)
    }
  }
}
