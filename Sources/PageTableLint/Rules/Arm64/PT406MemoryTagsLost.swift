internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Memory whose tags the kernel cannot reach.
  static let memoryTagsLost = Rule(
    id: "PT406", name: "memory-tags-lost", severity: .error,
    summary: "the direct map does not reach the tags of tagged memory", serves: .arm64,
    needs: [.physicalAddresses, .directMapBase, .area(.directMap)],
    documentation: """
      What: a MEM/NORMAL leaf of the direct map whose frame another leaf maps as MEM/NORMAL-TAGGED.
      Or one that holds plain memory while most of the direct map is tagged.
      Why: the kernel clears, copies and saves a program's memory tags by the direct map. Through an
      untagged mapping its stores of tags are dropped. The program meets wrong tags and is killed,
      or its checks pass where they must not.
      How Linux should look: with CONFIG_ARM64_MTE the whole direct map is tagged, with and without
      MTE in the processor. The image's text and rodata and the memory of a crash kernel are not.
      False alarm: the second kind is not judged without the symbols of text and rodata.
      Fix: see who changed AttrIndx, or mapped the memory without pgprot_tagged().
      References:
      - arch/arm64/mm/mmu.c, Linux 6.12: map_mem, __map_memblock
      - arch/arm64/mm/copypage.c, Linux 6.12: copy_highpage; arch/arm64/kernel/mte.c: mte_sync_tags
      """, comparesParts: true, givesWayTo: ["PT405", "PT501", "PT601"]
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let tagged = mode.attributes.first(where: { $0.set == "MEM/NORMAL-TAGGED" })?.test,
      let (area, base) = subject.directMap(of: table)
    else { return [] }
    let map = table.runs(.directMap).filter { $0.isLeaf && mode.memoryType(of: $0) == .writeBack }
    func size(_ runs: [Run]) -> UInt64 { runs.reduce(0) { $0 &+ $1.size } }
    let plain = map.filter { !tagged.matches($0.flags) }
    var frames: [ClosedRange<UInt64>] = []
    for other in subject.tables {
      for run in other.runs where run.isLeaf && tagged.matches(run.flags) {
        guard other.layout.area(of: run.start).kind != .directMap, let first = run.physical else {
          continue
        }
        let size = run.repeats ? min(run.size, mode.span(of: run)) : run.size
        frames.append(first...(first &+ (size &- 1)))
      }
    }
    // Neither the image's nor a crash kernel's memory, where most of the rest is tagged.
    let untagged = subject.untaggedFrames
    let mostIsTagged = size(plain) < size(map) / 2 && !untagged.isEmpty
    let exempt = RangeSet(untagged)
    let wanted = RangeSet(frames)
    let bad = plain.flatMap { run -> [Run] in
      guard let first = run.physical, first == run.start &- base else { return [] }
      let whole = first...(first &+ (run.size - 1))
      let parts = wanted.parts(in: whole) + (mostIsTagged ? exempt.gaps(in: whole) : [])
      return RangeSet(parts).compactMap { part in
        run.clipped(
          from: base &+ part.lowerBound, through: base &+ part.upperBound, span: mode.span(of: run))
      }
    }
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) of the direct map without the tags that the memory has", in: table,
        runs: bad, area: area, evidence: evidence(bad, subject, table),
        help: "map the memory as MEM/NORMAL-TAGGED: pgprot_tagged()")
    ]
  }
}

extension Subject {
  /// The frames that the direct map has untagged by design: from the image's text to the end of its
  /// rodata, and a crash kernel's; none where nothing tells the first.
  fileprivate var untaggedFrames: [ClosedRange<UInt64>] {
    let image = readOnlyImageFrames
    guard image.count > 1, let first = image.map(\.lowerBound).min(),
      let last = image.map(\.upperBound).max()
    else { return [] }
    return [first...last]
      + (resources?.value ?? []).filter { $0.name == "Crash kernel" }.map(\.range)
  }
}
