internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Areas of the kernel's address space that lie in each other's way.
  static let areasOverlap = Rule(
    id: "PT606", name: "areas-overlap", severity: .error,
    summary: "the kernel's areas overlap", serves: .all64, needs: [.directMapBase],
    documentation: """
      What: the bases of the direct map, vmalloc and vmemmap out of the order that the architecture
      gives them (on x86 page_offset_base, vmalloc_base, vmemmap_base). Or memory in the direct map
      (up to max_pfn_mapped) beyond the start of vmalloc. 64 bits only.
      Why: one address stands for two things: a vmalloc mapping replaces memory, or the other way
      round. In 2024 the kernel was found to give out addresses beyond what KASLR had left for
      memory.
      How Linux should look: KASLR draws the three bases in their order, and each behind the end of
      the area before it.
      False alarm: none known. A base that is not known is not judged.
      Fix: see kernel_randomize_memory(), and who added the memory after its end.
      References:
      - arch/x86/mm/kaslr.c, Linux 6.12: kernel_randomize_memory
      - ea72ce5da228 (6.11): the end of the address space that KASLR leaves for memory
      """, comparesParts: true
  ) { rule, subject in
    let table = subject.kernel
    guard let directMap = subject.looking(at: subject.facts.directMap) else { return [] }
    let ordered = subject.architecture.orderedAreas(subject.facts)
    let evidence = ordered.map {
      Evidence.fact("\($0.name) starts at \($0.start.value.address)", source: $0.start.source)
    }
    func finding(_ start: UInt64, _ last: UInt64, _ message: String, _ more: [Evidence]) -> Finding
    {
      Finding(
        rule, message, in: table,
        runs: [Run(start: start, last: last, kind: .leaf, level: 0)],
        evidence: evidence + more, help: "see kernel_randomize_memory, arch/x86/mm/kaslr.c")
    }
    for (lower, upper) in zip(ordered, ordered.dropFirst())
    where upper.start.value <= lower.start.value {
      return [
        finding(
          upper.start.value, lower.start.value, "\(upper.name) starts below \(lower.name)", [])
      ]
    }
    let page = subject.mode.granule
    guard let vmalloc = subject.facts.vmalloc, vmalloc.value > directMap.value,
      let pages = subject.facts.maxPfnMapped,
      pages.value > (vmalloc.value - directMap.value) / page
    else { return [] }
    // A damaged variable may say anything.
    let last = directMap.value &+ min(pages.value, 1 << 40) &* page &- 1
    return [
      finding(
        vmalloc.value, max(vmalloc.value, last),
        "the direct map reaches beyond the start of vmalloc",
        [.fact("max_pfn_mapped is \(pages.value)", source: pages.source)])
    ]
  }
}
