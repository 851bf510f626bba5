internal import PageTables

extension Rule {
  /// Kernel memory that is writable and executable at once.
  static let writableExecutable = Rule(
    id: "PT001", name: "writable-executable", severity: .error,
    summary: "kernel memory is writable and executable", needs: [.noExecute],
    documentation: """
      What: a present leaf of the kernel half that is writable and executable after all levels.
      Why: whoever can write there can run code in the kernel.
      How Linux should look: none after mark_rodata_ro (CONFIG_STRICT_KERNEL_RWX, CONFIG_DEBUG_WX).
      False alarm: a dump taken before init ends; the EFI runtime areas of efi_pgd. A text dump
      shows the leaf's own bits, not what upper levels take away.
      Fix: find who mapped it (the owner of the table, the area) and use set_memory_rox().
      """
  ) { rule, subject in
    subject.tables.flatMap { table in
      let mode = table.space.mode
      let bad = table.space.runs.filter {
        $0.isLeaf && $0.start >= mode.upperHalf && $0.effective & mode.write != 0
          && $0.effective & mode.noExecute == 0
          && table.layout.area(of: $0.start).kind != .directMap
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) writable and executable", in: table, runs: runs, area: area,
          evidence: evidence(runs, subject, table),
          help: "map code read-only: set_memory_rox(), or NX where it is data")
      }
    }
  }
}
