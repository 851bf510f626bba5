internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Page tables that the kernel has mapped a second time.
  static let writableAliasOfPageTable = Rule(
    id: "PT014", name: "writable-alias-of-page-table", severity: .error,
    summary: "a page table can be written at a second address", serves: .all64,
    needs: [
      .physicalAddresses, .directMapBase, .area(.directMap), .imageApart,
      .notXen("PT013 judges its page tables"),
    ],
    documentation: """
      What: a writable leaf of the kernel's half, outside the direct map and the kernel image. Its
      frame is a page table of the trees that were read.
      Why: whoever writes that memory changes mappings: an overrun in it owns the machine.
      How Linux should look: page tables are written through the direct map, those that the image
      brings also through the image. 64-bit kernels map them nowhere else.
      False alarm: a table page that was freed and mapped elsewhere while a live image was taken.
      What vmemmap and the cpu entry area map is PT609's and PT611's.
      Fix: see who mapped the page, or freed the table while it was in use.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: alloc_low_pages, phys_pmd_init
      """, comparesParts: true, givesWayTo: ["PT501"]
  ) { rule, subject in
    let table = subject.kernel
    let bad = table.writablePages(of: subject.tablePages, subject)
    return grouped(bad, table).map { area, runs in
      Finding(
        rule, "\(total(runs)) of page tables writable in \(area.name)", in: table, runs: runs,
        area: area,
        evidence: ["frame \((runs[0].physical ?? 0).entry) is a page table"]
          + evidence(runs, subject, table),
        help: "see who mapped the page, or freed the table while it was in use")
    }
  }
}
