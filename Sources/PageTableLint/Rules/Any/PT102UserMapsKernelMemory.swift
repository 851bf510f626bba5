internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// User mappings of the kernel image's frames.
  static let userMapsKernelMemory = Rule(
    id: "PT102", name: "user-maps-kernel-memory", severity: .error,
    summary: "a program can reach the kernel image through its own mapping",
    needs: [.physicalAddresses, .symbols("_text"), .userHalf, .imageFrames],
    documentation: """
      What: a leaf of a process's half, open to user mode, whose frame belongs to the kernel image.
      Why: the program reads, or writes, the kernel's own code or data. An exploit of the page
      tables makes such a mapping, or a driver that maps by a wrong frame number.
      How Linux should look: the image has a few pages for programs, all read-only there: the zero
      page, the vDSO and its variables, the clocks of hypervisors.
      False alarm: such a page that the rule does not know: the finding names its symbol, and is a
      warning, where it is read-only. What init gave back of the image is ordinary memory, as is
      what is left of brk after it: the rule leaves brk out.
      Fix: see which driver's mmap() gave the frame.
      References:
      - arch/x86/entry/vdso/vma.c, Linux 6.12
      """
  ) { rule, subject in
    guard let image = subject.image, let all = image.imageFrames,
      let start = subject.symbols?["_text"]
    else { return [] }
    // Often the first of .bss, so that another symbol names its page.
    let zeroPage = subject.symbols?["empty_zero_page"].map { $0 &- start &+ all.lowerBound }
    let size = subject.symbols?["__brk_base"].map { $0 &- start } ?? 0
    let isPart = size > 0 && size <= all.upperBound - all.lowerBound
    let frames = isPart ? all.lowerBound...(all.lowerBound + size - 1) : all
    return subject.tables.flatMap { table -> [Finding] in
      let bad = pages(of: image, in: frames, zeroPage: zeroPage, openIn: table, subject)
      guard let first = bad.first, let frame = first.physical else { return [] }
      let isWritable = bad.contains { $0.access.isWritable }
      return [
        Finding(
          rule, severity: isWritable ? .error : .warning,
          "\(total(bad)) of the kernel image open to user mode"
            + (isWritable ? ", writable" : ""), in: table, runs: bad,
          evidence: [
            "frame \(frame.entry) is \(image.owner(ofTable: frame) ?? "the kernel image")"
          ] + evidence(bad, subject, table), help: "see which driver's mmap() gave the frame")
      ]
    }
  }

  /// The pages of the image that user mode reaches and should not.
  private static func pages(
    of image: KernelImage, in frames: ClosedRange<UInt64>, zeroPage: UInt64?, openIn table: Table,
    _ subject: Subject
  ) -> [Run] {
    let mode = table.space.mode
    func physical(_ run: Run) -> ClosedRange<UInt64>? {
      guard run.isLeaf, run.access.isUser, let first = run.physical else { return nil }
      // Of a repeated leaf the first is enough.
      let size = run.repeats ? min(run.size, mode.span(of: run)) : run.size
      let all = first...(first &+ (size - 1))
      return all.overlaps(frames) ? all.clamped(to: frames) : nil
    }
    let runs = table.runs.prefix { $0.start < mode.upperHalf }
    // Whose a page of the image is, once for all leaves that reach it.
    var owned: [ClosedRange<UInt64>] = []
    var secret: [ClosedRange<UInt64>] = []
    for range in RangeSet(runs.lazy.compactMap(physical)) {
      for frame in stride(from: range.lowerBound, through: range.upperBound, by: Int(mode.granule))
      {
        guard subject.mayLook(Looks.piece) else { return [] }
        guard let owner = image.owner(ofTable: frame) else { continue }
        let page = frame...(frame + (mode.granule - 1))
        owned.append(page)
        if frame != zeroPage, !isForPrograms(owner) { secret.append(page) }
      }
    }
    let (all, unreadable) = (RangeSet(owned), RangeSet(secret))
    var bad: [Run] = []
    for run in runs {
      guard let reached = physical(run), let first = run.physical else { continue }
      let whole = reached.lowerBound...(reached.upperBound | (mode.granule - 1))
      for part in (run.access.isWritable ? all : unreadable).parts(in: whole) {
        guard subject.mayLook(Looks.piece) else { return bad }
        let from = run.start &+ (part.lowerBound - first)
        let through = run.start &+ (part.upperBound - first)
        if let pages = run.clipped(from: from, through: through, span: mode.span(of: run)) {
          Run.append(pages, to: &bad, mode: mode)
        }
      }
    }
    return bad
  }

  /// Whether a symbol of the image names a page that every program may read.
  ///
  /// Sources: arch/x86/entry/vdso, arch/x86/kernel/pvclock.c, drivers/clocksource/hyperv_timer.c, 6.1
  /// and 6.12.
  private static func isForPrograms(_ owner: String) -> Bool {
    let name = owner.split(separator: "+")[0]
    return ["raw_data", "vdso", "vvar", "pvclock", "hv_clock", "tsc_pg", "timens"]
      .contains { name.contains($0) }
  }
}
