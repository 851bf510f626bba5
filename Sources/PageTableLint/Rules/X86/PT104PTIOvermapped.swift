internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Kernel memory that PTI's user table holds though user mode does not need it.
  static let ptiOvermapped = Rule(
    id: "PT104", name: "pti-overmapped", severity: .error,
    summary: "PTI's user table maps more of the kernel than it needs",
    serves: .x86, needs: [.physicalAddresses, .ptiOn, .userTwin],
    documentation: """
      What: a leaf in the kernel's half of the user twin's table that is none of what entering the
      kernel needs.
      Why: with Meltdown, programs read whatever that table maps. Freed init memory was mapped so in
      2018, and on 32 bits too much or too little was cloned in 2024.
      How Linux should look: it maps the cpu entry area, ESPfix, the LDT remap, the vsyscall page,
      and the entry text (in whole 2M pages on 64 bits). It maps one page a processor of its TSS,
      which lies in the direct map. With pti=auto and no PCID it also maps the image from _text to
      the end of rodata.
      False alarm: without symbols the rule does not know where entry text and rodata end and leaves
      the image out. Without a log it does not know how many processors there may be, and takes
      single pages of the direct map for their TSS. On 32 bits, where the image lies in the direct
      map, only vmalloc and the kmap are judged.
      Fix: see which pti_clone_pgtable() call covers the address.
      References:
      - arch/x86/mm/pti.c, Linux 6.12: pti_init, pti_clone_pgtable
      - c40a56a7818c (4.19): freed init memory
      """
  ) { rule, subject in
    guard let table = subject.userTwin else { return [] }
    let mode = table.space.mode
    let isWide = !subject.imageLiesInDirectMap
    let allowed = isWide ? clonedImage(subject, table) : nil
    var bad = table.runs.filter { run in
      guard run.isLeaf, run.start >= mode.upperHalf else { return false }
      switch table.layout.area(of: run.start).kind {
      case .vmemmap, .persistentKmap, .efi, .guardHole: return true
      case .vmalloc: return !isWide
      case .modules: return isWide
      case .image:
        return allowed.map { run.start < $0.lowerBound || run.last > $0.upperBound } ?? false
      default: return false
      }
    }
    if isWide { bad += notTSS(subject, table) }
    return grouped(bad.sorted { $0.start < $1.start }, table).map { area, runs in
      Finding(
        rule, "\(total(runs)) of \(area.name) in the user's table", in: table, runs: runs,
        area: area, evidence: evidence(runs, subject, table),
        help: "see which pti_clone_pgtable() call covers the address")
    }
  }

  /// What user mode may have of the image: the entry text, and where text is global in its table,
  /// which the kernel makes where it shares the image, all from _text to the end of rodata.
  private static func clonedImage(_ subject: Subject, _ table: Table) -> ClosedRange<UInt64>? {
    let large = subject.mode.level(2).span
    func whole(_ start: String, _ end: String) -> ClosedRange<UInt64>? {
      guard let start = subject.symbols?[start], let end = subject.symbols?[end], start < end else {
        return nil
      }
      return (start & ~(large - 1))...((end &+ (large - 1)) & ~(large - 1) &- 1)
    }
    guard let image = whole("_text", "__end_rodata"), let text = whole("_text", "_etext"),
      let entry = whole("__entry_text_start", "__entry_text_end")
    else { return nil }
    let isShared = table.runs(from: text.lowerBound, through: text.upperBound).contains {
      $0.isLeaf && $0.flags & subject.mode.global != 0
        && ($0.start < entry.lowerBound || $0.last > entry.upperBound)
    }
    return isShared ? image : entry
  }

  /// The direct map's pages beyond one a processor, which is its TSS.
  private static func notTSS(_ subject: Subject, _ table: Table) -> [Run] {
    // With percpu_alloc=page the processors' data lie in vmalloc.
    let leaves = [Area.Kind.directMap, .vmalloc].flatMap {
      table.runs($0).filter(\.isLeaf)
    }
    guard let count = subject.possibleProcessors else {
      return leaves.filter { $0.pages > 1 }
    }
    return leaves.reduce(0) { $0 + $1.pages } > count ? leaves : []
  }
}
