internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// The kernel's count of the direct map's pages against the tables.
  static let directMapCountersDiffer = Rule(
    id: "PT306", name: "direct-map-counters-differ", severity: .note,
    summary: "the direct map holds pages that the kernel does not count",
    serves: .x86, needs: [.physicalAddresses, .directPages, .area(.directMap)],
    documentation: """
      What: direct_pages_count, which DirectMap4k and its kin in /proc/meminfo show, against the
      leaves of the direct map.
      Why: a page that was split, mapped or taken away behind change_page_attr()'s back, or a count
      that was missed. Fragmentation is watched by these figures.
      How Linux should look: as many as it counts. That includes the splits of the kernel image's
      own mapping, which the kernel counts as if they were the direct map's.
      False alarm: where the kernel counts more than there is, the rule is silent. At boot it counts
      pages again that a second range covers, and pages that were taken away stay counted. It does
      not count below zero: where it counts no large page any more it has missed splits, and the
      rule is silent, too.
      Fix: none; trust the tables.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: update_page_count, split_page_count
      """, comparesParts: true,
    givesWayTo: [
      "PT106", "PT206", "PT501", "PT502", "PT503", "PT504", "PT505", "PT506", "PT507", "PT508",
      "PT601", "PT603", "PT604",
    ]
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let counted = subject.facts.directPages?.value,
      let area = table.layout.first(.directMap)
    else { return [] }
    var held: [UInt64] = [0, 0, 0]
    // On 32 bits the image lies in the direct map.
    let kinds: [Area.Kind] = subject.imageLiesInDirectMap ? [.directMap, .image] : [.directMap]
    for run in kinds.flatMap({ table.runs($0) }) {
      let level = Int(run.level)
      guard run.isLeaf || run.kind == .notPresent, level <= 3 else { continue }
      // An area may start and end inside a large page: a page counts where it starts.
      let span = mode.level(level).span
      let first = (run.start &+ (span - 1)) & ~(span - 1)
      if first >= run.start, first <= run.last { held[level - 1] += (run.last - first) / span + 1 }
    }
    let splits =
      kinds.contains(.image)
      ? 0
      : table.pointers.count {
        $0.level == 2 && table.layout.area(of: $0.address).kind == .image
      }
    let expected = [
      held[0] + UInt64(splits * mode.level(1).entries), held[1] &- UInt64(splits), held[2],
    ]
    guard zip(counted, expected).contains(where: { $0 < $1 }) else { return [] }
    return [
      Finding(
        rule, "the direct map holds pages that the kernel does not count", in: table,
        runs: [area, table.layout.first(.image)].compactMap { $0 }.map {
          Run(start: $0.start, last: $0.last, kind: .hole, level: 0)
        }, area: area,
        evidence: [
          "direct_pages_count: \(mode.text(leaves: counted))",
          "the tables: \(mode.text(leaves: held))",
        ]
          + (splits > 0 ? ["\(splits) of the kernel image's large pages were split, too"] : []),
        help: "trust the tables; see which code maps or splits behind change_page_attr()")
    ]
  }
}
