internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Memory that the direct map does not map.
  static let memoryMissingFromDirectMap = Rule(
    id: "PT604", name: "memory-missing-from-direct-map", severity: .warning,
    summary: "memory has no entry in the direct map",
    needs: [.physicalAddresses, .directMapBase, .memoryMap, .kernelsOwnTable],
    documentation: """
      What: "System RAM" of the machine's memory map whose place in the direct map is empty.
      Why: __va() of such a page faults; the page allocator gives it out all the same.
      How Linux should look: all memory is mapped. What is taken away on purpose leaves an entry
      that is not present but not empty, since change_page_attr() never clears one whole. Examples
      are secret memory, guard pages of KFENCE and debug_pagealloc, poisoned pages, and the
      reservation for a crash kernel. An empty entry above the tables of 2M leaves takes 1 GiB of
      memory and more: an error.
      False alarm: 32-bit kernels map low memory only (the rule looks no further than 8 MiB before
      vmalloc); memory that is being added or removed.
      Fix: see who cleared the entry, or whether the range was given to init_memory_mapping().
      References:
      - arch/x86/mm/init.c, Linux 6.12: init_mem_mapping
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: set_direct_map_invalid_noflush
      """, comparesParts: true
  ) { rule, subject in
    let table = subject.kernel
    guard let (area, base) = subject.directMap(of: table) else { return [] }
    let above = area.last &- base
    let highest = above - min(subject.architecture.vmallocGuard, above)
    let page = table.space.mode.granule
    var missing: [Run] = []
    for range in subject.ram where range.lowerBound <= highest {
      // A page that belongs to memory in part is not the allocator's.
      let first = (range.lowerBound &+ (page - 1)) & ~(page - 1)
      let last = (min(range.upperBound, highest) &+ 1) & ~(page - 1)
      guard first < last else { continue }
      missing += table.runs(from: base &+ first, through: base &+ (last - 1)).filter {
        $0.kind == .hole
      }
    }
    guard !missing.isEmpty else { return [] }
    let lost = lostEntries(missing, table)
    return [
      Finding(
        rule, severity: lost.isEmpty ? nil : .error,
        lost.isEmpty
          ? "\(total(missing)) of memory have no entry in the direct map"
          : "\(total(missing)) of memory are lost: no entry in the direct map leads there",
        in: table, runs: missing, area: area,
        evidence: lost
          + missing.prefix(3).map {
            .words(
              "physical \(($0.start &- base).entry), \($0.size.readableSize): "
                + "\(table.space.mode.level(Int(max(1, $0.level))).name) entry empty")
          }, help: "see who cleared the entry")
    ]
  }

  /// The extent of each empty entry of 1 GiB or more, three at most.
  private static func lostEntries(_ missing: [Run], _ table: Table) -> [Evidence] {
    let mode = table.space.mode
    var found: [Evidence] = []
    for run in missing where run.level > 2 && found.count < 3 {
      let level = mode.level(Int(run.level))
      let start = run.start & ~(level.span - 1)
      let lost = Evidence.words(
        "\(mode.text(start))-\(mode.text(start &+ level.span)): the \(level.name) entry of all of it "
          + "is empty")
      if !found.contains(lost) { found.append(lost) }
    }
    return found
  }
}
