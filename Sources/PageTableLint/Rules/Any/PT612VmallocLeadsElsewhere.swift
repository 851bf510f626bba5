internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Pages of vmalloc's areas that map something else than the kernel's lists say.
  static let vmallocLeadsElsewhere = Rule(
    id: "PT612", name: "vmalloc-leads-elsewhere", severity: .error,
    summary: "vmalloc or module memory is missing, or is another page's",
    needs: [
      .physicalAddresses, .area(.vmalloc), .memoryMap, .kernelsOwnTable,
      .notXen("grants change what an area has"),
    ],
    documentation: """
      What: a page of a vmalloc area, of a module or of ioremap() that is not mapped. Or one that
      maps another frame than the one in the kernel's own list of the area (vm_struct.pages,
      phys_addr). Where no list is known: a write-back page over addresses at which the machine's
      memory map has nothing. A guest of Xen's (HVM, PVH) has Xen's pages there.
      Why: the owner of the area reads and writes somebody else's memory, or faults.
      How Linux should look: the tables map what the lists say, from the end of vmalloc() until
      vfree().
      False alarm: a live image that was taken while an area was made or freed. Without BTF, and in
      old extracts, no list is known; what vmap() maps of others' pages is never listed.
      Fix: see what overwrote the entry; a single bit says that memory was corrupted.
      References:
      - mm/vmalloc.c, Linux 6.12: __vmalloc_area_node, vmap_pages_range_noflush
      - arch/x86/mm/ioremap.c, Linux 6.12: __ioremap_caller
      """, comparesParts: true,
    givesWayTo: [
      "PT001", "PT002", "PT009", "PT014", "PT106", "PT206", "PT307", "PT501", "PT502", "PT504",
      "PT505",
      "PT506", "PT507", "PT508", "PT510",
    ]
  ) { rule, subject in
    let table = subject.kernel
    let listed = VmallocCheck(subject, table)
    let beyond = pagesBeyondMemory(subject, table)
    func finding(_ runs: [Run], _ what: String, _ help: String, _ more: [Evidence] = [])
      -> [Finding]
    {
      grouped(runs, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of \(area.name) \(what)", in: table, runs: runs, area: area,
          evidence: more + evidence(runs, subject, table), help: help)
      }
    }
    return finding(
      listed.missing, "not mapped, though the kernel's list has pages there",
      "see who cleared the entry before vfree()")
      + finding(
        listed.other, "other pages than the kernel's list has there",
        "see what overwrote the entry", listed.firstOther.map { [.words($0)] } ?? [])
      + finding(beyond, "where the machine has nothing", "see what overwrote the entry")
  }

  /// Write-back pages of vmalloc's areas and modules at which the machine's memory map has nothing.
  private static func pagesBeyondMemory(_ subject: Subject, _ table: Table) -> [Run] {
    guard let resources = subject.resources?.value, !resources.isEmpty,
      subject.facts.domain == nil
    else { return [] }
    let mode = table.space.mode
    let known = RangeSet(resources.map(\.range))
    return [Area.Kind.vmalloc, .modules].flatMap { table.runs($0) }.filter { run in
      guard run.isLeaf, let physical = run.physical, mode.memoryType(of: run) == .writeBack else {
        return false
      }
      let size = run.repeats ? min(run.size, mode.span(of: run)) : run.size
      return known.parts(in: physical...(physical &+ (size &- 1))).first { _ in true } == nil
    }
  }
}
