internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// The kernel's read-only memory, writable by its other address.
  static let writableAliasOfReadonlyImage = Rule(
    id: "PT002", name: "writable-alias-of-readonly-image", severity: .error,
    summary: "the kernel's text or rodata can be written at a second address",
    serves: .all64,
    needs: [
      .physicalAddresses, .readOnlyParts, .settledImage, .directMapBase, .physBase,
      .area(.image), .area(.directMap),
    ],
    documentation: """
      What: a writable page of the direct map, of vmalloc, of the modules area or of the fixmap. Its
      frame holds the kernel's text or read-only data, which the image's own mapping protects.
      Why: a write to that address changes the code that runs; the protection only looks applied.
      How Linux should look: mark_rodata_ro() makes both read-only, since change_page_attr works on
      a page's alias too. text_poke() writes text through a mapping of its own in the user half, and
      takes it away again.
      False alarm: what lies between text and rodata, and after rodata, is given back as memory and
      is writable: the rule leaves it out. A kernel without CONFIG_STRICT_KERNEL_RWX, or a dump from
      before init ends: there no page of the image is read-only, and the rule is skipped.
      Fix: see who changed one of the two mappings alone (set_memory_*_noalias, a direct write).
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: cpa_process_alias
      """, givesWayTo: ["PT501", "PT609"]
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let image = subject.image, let base = subject.facts.directMap?.value,
      let physBase = subject.facts.physBase?.value, let imageArea = table.layout.first(.image),
      let area = table.layout.first(.directMap)
    else { return [] }
    var bad: [Run] = []
    var frames: [ClosedRange<UInt64>] = []
    var counted = 0
    for part in image.readOnlyParts {
      // The image's own mapping tells where the protection has been applied.
      let protected = table.runs(from: part.lowerBound, through: part.upperBound).filter {
        $0.isLeaf && !$0.access.isWritable
      }
      for run in protected {
        guard subject.mayLook(Looks.piece * (bad.count - counted + 1)) else { break }
        counted = bad.count
        // Where a leaf leads elsewhere than the image is PT602's.
        let first = run.start &- imageArea.start &+ physBase
        let alias = base &+ first
        if first <= .max - run.size { frames.append(first...(first + (run.size - 1))) }
        bad += table.runs(from: alias, through: alias &+ (run.size &- 1)).filter {
          $0.isLeaf && $0.access.isWritable
        }
      }
    }
    func finding(_ runs: [Run], _ place: String, _ area: Area, _ help: String) -> Finding {
      Finding(
        rule, "\(total(runs)) of the kernel's text or rodata writable \(place)",
        in: table, runs: runs, area: area, evidence: evidence(runs, subject, table), help: help)
    }
    let elsewhere = grouped(table.writablePages(of: RangeSet(frames), subject), table)
    return
      (bad.isEmpty
      ? []
      : [
        finding(
          bad, "through the direct map", area, "make both mappings read-only: set_memory_ro() does")
      ])
      + elsewhere.map { area, runs in
        finding(
          runs, "in \(area.name)", area,
          "see who mapped it; text_poke() takes its mapping away again")
      }
  }
}
