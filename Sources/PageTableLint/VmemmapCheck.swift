internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The leaves of vmemmap held against what they can map.
struct VmemmapCheck {
  /// A leaf, or neighbours, that lead elsewhere.
  struct Stray {
    let run: Run
    let reason: String
  }

  /// In address order.
  private(set) var strays: [Stray] = []

  private let subject: Subject
  private let mode: TableFormat
  private let leaves: [Run]
  /// Where the leaves start that hold what struct pages can be.
  private var sound: Set<UInt64> = []

  init(_ subject: Subject, _ table: Table) {
    self.subject = subject
    mode = table.space.mode
    leaves = table.runs(.vmemmap).filter { $0.isLeaf && $0.physical != nil }
    findWrongFrames(table)
    findDoubles()
    findReadOnly()
    findMissing(table)
    findOtherContents()
    findLostTables(table)
    findFree()
    strays.sort { $0.run.start < $1.run.start }
  }

  /// Whether the struct page at an address is not to be believed.
  func distrusts(_ address: UInt64) -> Bool { strays.contains { $0.run.contains(address) } }

  private func isStray(_ run: Run) -> Bool {
    strays.contains { $0.run.start <= run.last && run.start <= $0.run.last }
  }

  private mutating func add(_ run: Run, _ reason: String) {
    strays.append(Stray(run: run, reason: "\(mode.text(run.start)): \(reason)"))
  }

  /// The frames of a run: all of one, where it repeats.
  private func frames(_ run: Run) -> ClosedRange<UInt64> {
    let first = run.physical ?? 0
    return first...(first &+ ((run.repeats ? mode.span(of: run) : run.size) &- 1))
  }

  /// No memory, the kernel image, a page table.
  private mutating func findWrongFrames(_ table: Table) {
    let known = subject.resources == nil ? nil : subject.notDevices
    let image = subject.image?.imageFrames
    let field = mode.tableField
    let tables = Set(table.pointers.lazy.map { field.address(in: $0.entry) }).sorted()
    for run in leaves {
      let frames = frames(run)
      let next = tables.partitioningIndex { $0 >= frames.lowerBound }
      if let known, let gap = known.gaps(in: frames).first {
        add(run, "it maps \(gap.lowerBound.entry), where no memory lies")
      } else if let image, image.overlaps(frames) {
        add(run, "it maps \(frames.lowerBound.entry), where the kernel image lies")
      } else if next < tables.count, frames.contains(tables[next]) {
        add(
          run,
          "it maps \(frames.lowerBound.entry), where a page table lies at \(tables[next].entry)")
      }
    }
  }

  /// Two writable places of one frame: what lies further from its neighbours' frames is astray; both
  /// where that does not tell them apart.
  private mutating func findDoubles() {
    let byFrame = leaves.indices.filter {
      leaves[$0].access.isWritable && !leaves[$0].repeats && !isStray(leaves[$0])
    }.sorted { frames(leaves[$0]).lowerBound < frames(leaves[$1]).lowerBound }
    for (one, other) in zip(byFrame, byFrame.dropFirst())
    where frames(leaves[one]).overlaps(frames(leaves[other])) {
      let both = frames(leaves[one]).clamped(to: frames(leaves[other]))
      let (near, far) = (distance(one), distance(other))
      for (bad, good) in [(one, other), (other, one)]
      where (bad == one ? near >= far : far >= near) && !isStray(leaves[bad]) {
        add(
          part(of: leaves[bad], at: both),
          "it maps \(both.lowerBound.entry), which "
            + "\(mode.text(part(of: leaves[good], at: both).start)) maps, too")
      }
    }
  }

  /// Read-only leaves whose frame no other leaf has: only the pages that hugetlb_free_vmemmap shares
  /// are read-only in health.
  private mutating func findReadOnly() {
    let byFrame = leaves.indices.sorted {
      frames(leaves[$0]).lowerBound < frames(leaves[$1]).lowerBound
    }
    for (place, index) in byFrame.enumerated() {
      let run = leaves[index]
      guard !run.access.isWritable, !run.repeats, !isStray(run) else { continue }
      let isShared = [place - 1, place + 1].contains {
        byFrame.indices.contains($0) && frames(leaves[byFrame[$0]]).overlaps(frames(run))
      }
      if !isShared { add(run, "it is read-only: nobody can write the struct pages there") }
    }
  }

  /// Memory whose struct pages are not mapped.
  private mutating func findMissing(_ table: Table) {
    guard let array = subject.image?.pageArray, let area = table.layout.first(.vmemmap) else {
      return
    }
    for memory in subject.ram {
      guard let pages = array.addresses(of: memory), area.contains(pages.lowerBound) else {
        continue
      }
      for run in table.runs(from: pages.lowerBound, through: min(pages.upperBound, area.last))
      where run.kind == .hole || run.kind == .notPresent {
        guard subject.mayLook(Looks.piece) else { return }
        add(run, "it is not mapped: memory has no struct pages there")
      }
    }
  }

  /// The addresses of a run that map some of its frames.
  private func part(of run: Run, at frames: ClosedRange<UInt64>) -> Run {
    let start = run.start &+ (frames.lowerBound &- (run.physical ?? 0))
    return run.clipped(
      from: start, through: start &+ (frames.upperBound &- frames.lowerBound),
      span: mode.span(of: run)) ?? run
  }

  /// How far a leaf's frame is from those of the leaves beside it, in bytes, of two the mean.
  private func distance(_ index: Int) -> UInt64 {
    let own = frames(leaves[index]).lowerBound
    let beside = [index - 1, index + 1].filter(leaves.indices.contains).map {
      let other = frames(leaves[$0]).lowerBound
      return own > other ? own - other : other - own
    }
    return beside.isEmpty ? 0 : beside.reduce(0, &+) / UInt64(beside.count)
  }

  /// What no struct page can hold.
  private mutating func findOtherContents() {
    guard let pages = subject.image?.structPages else { return }
    for run in leaves where !isStray(run) {
      let content = pages.content(of: run, span: mode.span(of: run))
      guard content.seen >= 4 else { continue }
      guard let first = content.impossible.first, content.impossible.count * 2 > content.seen else {
        sound.insert(run.start)
        continue
      }
      add(
        run,
        "\(content.impossible.count) of \(content.seen) pages looked at there are no struct pages; that "
          + "of \(first.physical.entry) would have \(first.words)")
    }
  }

  /// Page tables are in use: struct pages that say otherwise of most are not theirs, where others
  /// show that the image holds struct pages at all.
  private mutating func findLostTables(_ table: Table) {
    guard let image = subject.image, let pages = image.structPages, subject.imageIsSettled else {
      return
    }
    let use = image.frameUse
    let frames = Set(table.pointers.map { mode.tableField.address(in: $0.entry) })
    var counts: [Int: (bad: Int, all: Int)] = [:]
    for frame in frames {
      let page = pages.address(of: frame)
      let index = leaves.partitioningIndex { $0.last >= page }
      guard index < leaves.count, leaves[index].contains(page) else { continue }
      let judged = pages.isUsed(
        frame, in: leaves[index], span: mode.span(of: leaves[index]), use: use?(frame))
      guard let judged else { continue }
      let count = counts[index] ?? (0, 0)
      counts[index] = (count.bad + (judged ? 0 : 1), count.all + 1)
    }
    for (index, count) in counts.sorted(by: { $0.key < $1.key })
    where count.all >= 4 && count.bad * 2 > count.all && !isStray(leaves[index])
      && sound.contains(where: { $0 != leaves[index].start })
    {
      add(
        leaves[index],
        "of \(count.all) page tables in use, \(count.bad) are free or were never set up by what is there"
      )
    }
  }

  /// Memory that its own struct page gives to somebody else.
  private mutating func findFree() {
    guard let image = subject.image, let pages = image.structPages, let use = image.frameUse else {
      return
    }
    let believed = strays
    for run in leaves where !isStray(run) {
      let frame = frames(run).lowerBound
      let page = pages.address(of: frame)
      guard !run.contains(page), !believed.contains(where: { $0.run.contains(page) }),
        let use = use(frame), use != .other
      else { continue }
      add(
        run, "it maps \(frame.entry), whose own struct page says \(use == .free ? "free" : "slab")")
    }
  }
}
