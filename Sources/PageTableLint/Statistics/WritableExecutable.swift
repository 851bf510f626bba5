internal import PageTables

/// The figure of the kernel's own line, `Checked W+X mappings`.
///
/// Source: `note_page` and `note_wx`, arch/x86/mm/dump_pagetables.c, 6.12.
package struct WritableExecutable: Sendable {
  /// 4 KiB pages that are writable and executable after all levels.
  package let pages: UInt64
  /// What the kernel's own check sees of them: none with PAE, whose top entries hold no RW.
  package let pagesTheKernelCounts: UInt64

  package init(_ table: Table) {
    let mode = table.space.mode
    var pages: UInt64 = 0
    if mode.forbidsExecution {
      for run in table.space.runs
      where (run.isLeaf || run.kind == .notPresent) && run.access.isWritable
        && run.access.isExecutable
      { pages &+= run.pages }
    }
    self.pages = pages
    pagesTheKernelCounts = !mode.dumpedAccess.contains(.write) ? 0 : pages
  }
}
