internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Tables in pages that the kernel takes for free.
  static let tableInFreeMemory = Rule(
    id: "PT503", name: "table-in-free-memory", severity: .error,
    summary: "a table page belongs to the allocator", needs: [.physicalAddresses, .structPage],
    documentation: """
      What: a table pointer to a page that the kernel's struct page calls free, or a slab cache's.
      Why: the page was freed while an entry led to it. Whoever gets it next writes page tables
      without knowing it.
      How Linux should look: a page table is allocated, or reserved since boot.
      False alarm: an image that was taken while the machine ran: the table may have been freed
      between two pages of the image. Extracts do not hold struct page: the rule is skipped. Where
      struct pages are wrong themselves, PT609 says so, and this rule does not judge by them.
      Fix: see who freed the table: the page's own neighbours and contents tell who has it now.
      References:
      - mm/page_alloc.c and include/linux/page-flags.h, Linux 6.12: PGTY_buddy, PGTY_slab
      - kernel/vmcore_info.c, Linux 6.12
      """, explainsWhatLiesBelow: true, judgesTables: true
  ) { rule, subject in
    guard let use = subject.image?.frameUse else { return [] }
    let pages = subject.image?.structPages
    let vmemmap = VmemmapCheck(subject, subject.kernel)
    return subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      var bad: [(pointer: TablePointer, use: FrameUse)] = []
      for pointer in table.pointers {
        let frame = mode.tableField.address(in: pointer.entry)
        guard let use = use(frame), use != .other,
          pages.map({ vmemmap.distrusts($0.address(of: frame)) }) != true
        else { continue }
        bad.append((pointer, use))
      }
      return grouped(bad.map { run($0.pointer, mode) }, table).map { area, runs in
        let first = bad.first { $0.pointer.address == runs[0].start }
        return Finding(
          rule,
          runs.count == 1
            ? "a table lies in memory that the kernel has given back"
            : "\(runs.count) tables lie in memory that the kernel has given back", in: table,
          runs: runs, area: area, entry: first?.pointer.entry,
          evidence: first.map {
            [
              .entry(
                Evidence.Entry(
                  address: $0.pointer.address, level: mode.level($0.pointer.level).name,
                  value: $0.pointer.entry,
                  remark: "; its struct page says \($0.use == .free ? "free" : "slab")"))
            ]
          } ?? [], help: "see who freed the table page while an entry led to it")
      }
    }
  }
}
