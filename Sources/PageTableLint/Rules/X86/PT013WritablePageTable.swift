internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A page table of a Xen PV guest's that the guest can write.
  static let writablePageTable = Rule(
    id: "PT013", name: "writable-page-table", severity: .error,
    summary: "a Xen PV guest can write a page table without Xen", serves: .x86_64,
    needs: [.physicalAddresses, .xenGuest],
    documentation: """
      What: a writable leaf of the kernel's half in a Xen PV guest, whose frame is a page table of
      the trees that were read.
      Why: Xen checks what a guest writes into its page tables, and lets no page be both a table and
      writable. A guest that can write its tables itself maps any memory of the machine: that of
      other guests and of Xen.
      How Linux should look: each page table is read-only in the direct map, and in the image where
      it lies there. Kernels without Xen have their tables writable: the rule is for PV guests
      alone.
      False alarm: an image that was taken while the machine ran, where a table was pinned or freed
      meanwhile.
      Fix: it is Xen's to forbid: see its version and its advisories; a single bit of an entry is
      a flip in memory.
      References:
      - arch/x86/xen/mmu_pv.c, Linux 6.12: make_lowmem_page_readonly, xen_pgd_pin
      - xen/arch/x86/mm.c, Xen 4.17: get_page_type (PGT_writable_page)
      """, comparesParts: true, judgesTables: true
  ) { rule, subject in
    let tablePages = subject.tablePages
    return subject.tables.flatMap { table -> [Finding] in
      let half = table.space.mode.upperHalf
      let bad = table.parts(of: table.runs, mapping: tablePages, subject) {
        $0.start >= half && $0.access.isWritable
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of page tables that the guest can write", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "see who took RW for a table's page: Xen refuses it")
      }
    }
  }
}
