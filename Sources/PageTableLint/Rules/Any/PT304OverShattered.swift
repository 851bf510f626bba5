internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A direct map in small pages where large ones would do.
  static let overShattered = Rule(
    id: "PT304", name: "over-shattered", severity: .note,
    summary: "much of the direct map is in small pages without need",
    needs: [.area(.directMap), .notXen("a guest has no large pages"), .largeDirectMap],
    documentation: """
      What: more than an eighth of the direct map in tables of 4K leaves that are all alike and
      follow each other. One large page would do for each. 16 such tables are the least.
      Why: nothing is wrong, but each costs a page of memory, and a processor keeps hundreds of
      translations where one would serve: the kernel runs slower.
      How Linux should look: large pages nearly everywhere. Exceptions are the first 2M (fixed MTRRs
      and the ISA hole), the kernel image's surroundings, the ends of memory, and where attributes
      really differ. The rule leaves out the first large page and the image's. It needs more than an
      eighth, since change_page_attr splits where it must and did not join again before 6.15. Some
      is normal.
      False alarm: after a CPA self-test, which splits at random, the note is right and the kernel
      is healthy. A Xen PV guest has small pages alone. CONFIG_DEBUG_PAGEALLOC and KFENCE want small
      pages; on arm64 so does rodata=full, and the rule is silent where an image tells that either
      is in use. A text dump does not show which attributes differ in bits that it does not print.
      Fix: see what splits: the kernel's counters direct_map_level2_splits in /proc/vmstat; code
      that changes the protection of single pages, as modules and BPF programs do.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: __split_large_page, __should_split_large_page
      - arch/x86/mm/init.c, Linux 6.12: probe_page_size_mask, split_mem_range
      - 41d88484c71c (6.15): joins the pages of code again
      """, comparesParts: true
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let area = table.layout.first(.directMap) else { return [] }
    let span = mode.level(2).span
    let frames = subject.image?.imageFrames
    var mapped: UInt64 = 0
    var alike: [Run] = []
    for run in table.runs(.directMap) where run.isLeaf {
      mapped &+= run.size
      guard run.level == 1, run.size >= span else { continue }
      alike += withoutNeed(run, in: area, frames, mode)
    }
    let blocks = alike.reduce(UInt64(0)) { $0 &+ $1.size / span }
    guard blocks >= 16, blocks > mapped / span / 8 else { return [] }
    let entries = span / mode.granule
    return [
      Finding(
        rule,
        "\(total(alike)) of \(mapped.readableSize) of the direct map in small pages without need",
        in: table, runs: alike, area: area,
        evidence: [
          .words(
            "\(blocks) tables of \(entries) entries that say the same: "
              + "\((blocks * mode.granule).readableSize) of tables, and \(blocks * entries) "
              + "translations where \(blocks) would do"),
          .words(
            subject.selfTests.isEmpty
              ? "likely causes: modules, BPF programs and others that change single pages' "
                + "protections, CONFIG_DEBUG_PAGEALLOC, or arm64's rodata=full"
              : "the log shows a CPA self-test, which splits pages at random: likely the cause"),
        ],
        help: subject.selfTests.isEmpty
          ? "see direct_map_level2_splits in x86's /proc/vmstat, and what runs when it grows"
          : "nothing to fix; a kernel without CONFIG_CPA_DEBUG shows what else splits pages")
    ]
  }

  /// The parts of a long run of small pages that large ones could map as well.
  ///
  /// - Parameter frames: the kernel image's, which are mapped as they must be.
  private static func withoutNeed(
    _ run: Run, in area: Area, _ frames: ClosedRange<UInt64>?, _ mode: TableFormat
  ) -> [Run] {
    let span = mode.level(2).span
    guard !run.repeats else { return [] }
    let first = max((run.start &+ (span - 1)) & ~(span - 1), area.start &+ span)
    let end = run.end & ~(span - 1)
    guard first < end else { return [] }
    var parts = [(first, end)]
    if let physical = run.physical {
      let offset = run.start &- physical
      // Where frames are known they must be fit for a large page, too.
      guard offset & (span - 1) == 0 else { return [] }
      if let frames {
        let low = (frames.lowerBound &+ offset) & ~(span - 1)
        let high = ((frames.upperBound &+ offset) | (span - 1)) &+ 1
        parts = [(first, min(max(first, low), end)), (max(first, min(end, high)), end)]
      }
    }
    return parts.compactMap { low, high in
      low < high ? run.clipped(from: low, through: high - 1, span: mode.granule) : nil
    }
  }
}
