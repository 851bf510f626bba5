internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Leaves of vmemmap that map something else than struct pages.
  static let vmemmapLeadsElsewhere = Rule(
    id: "PT609", name: "vmemmap-leads-elsewhere", severity: .error,
    summary: "the struct pages are wrong: vmemmap maps something else, or nothing",
    needs: [
      .physicalAddresses, .area(.vmemmap), .kernelsOwnTable, .ownFrames,
    ],
    documentation: """
      What: a leaf of vmemmap whose frame cannot hold the struct pages of its addresses. No memory
      lies there, or the kernel image or a page table does. Or a writable leaf of another place in
      vmemmap maps it, too. Or its own struct page calls it free or a slab cache's. Or what it holds
      are no struct pages: a page that nobody refers to and that is mapped, a count of a thousand
      million. Also a leaf that is read-only though its frame is nowhere else in vmemmap. Also a
      part of vmemmap that is not mapped though it belongs to memory.
      Why: the kernel's whole knowledge of 128 MiB of memory (2 MiB with a small page) is wrong. It
      frees pages that are in use, and each count that it writes goes into somebody else's data.
      How Linux should look: each leaf of vmemmap has memory of its own. The read-only pages that
      hugetlb_free_vmemmap maps many times are healthy, and so are the repeated ones of device
      memory.
      False alarm: a large image that was taken while the machine ran and memory was removed.
      Fix: see what overwrote the entry. What other rules take from struct page is not to be
      believed for that memory: PT503 does not judge it.
      References:
      - mm/sparse-vmemmap.c, Linux 6.12: vmemmap_populate_hugepages, vmemmap_populate_compound_pages
      - mm/hugetlb_vmemmap.c, Linux 6.12: vmemmap_remap_pte
      - include/linux/mm_types.h, Linux 6.12: struct page
      """,
    givesWayTo: [
      "PT001", "PT009", "PT106", "PT206", "PT307", "PT501", "PT502", "PT504", "PT505", "PT506",
      "PT507", "PT508",
    ]
  ) { rule, subject in
    let table = subject.kernel
    let strays = VmemmapCheck(subject, table).strays
    guard !strays.isEmpty else { return [] }
    let runs = strays.map(\.run)
    return [
      Finding(
        rule, "\(total(runs)) of vmemmap wrong: the struct pages there cannot be used",
        in: table, runs: runs,
        evidence: strays.prefix(3).map { .words($0.reason) } + evidence(runs, subject, table),
        help: "see what overwrote the entry; believe no struct page of that memory")
    ]
  }
}
