internal import PageTables

extension Rule {
  /// Kernel memory that user mode may touch.
  static let userAccessibleKernel = Rule(
    id: "PT101", name: "user-accessible-kernel", severity: .error,
    summary: "user mode can reach kernel memory", needs: [],
    documentation: """
      What: a leaf of the kernel half whose US bit is set on every level.
      Why: any program reads it, and writes it where RW is set too.
      How Linux should look: none but the vsyscall page (0xffffffffff600000) in its emulate mode.
      False alarm: Xen PV guests seen from the host.
      Fix: find who wrote the entry; upper levels carry US as a rule, so the leaf alone decides.
      """
  ) { rule, subject in
    subject.tables.flatMap { table in
      let mode = table.space.mode
      let bad = table.space.runs.filter {
        $0.isLeaf && $0.start >= mode.upperHalf && $0.effective & mode.user != 0
          && !($0.start == 0xffff_ffff_ff60_0000 && $0.pages == 1 && $0.effective & mode.write == 0)
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of kernel memory open to user mode", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "clear US in the leaves")
      }
    }
  }
}
