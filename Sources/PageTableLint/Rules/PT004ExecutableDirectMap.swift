internal import PageTables

extension Rule {
  /// Memory that the direct map lets the kernel execute.
  static let executableDirectMap = Rule(
    id: "PT004", name: "executable-direct-map", severity: .error,
    summary: "the direct map is executable", needs: [.noExecute],
    documentation: """
      What: leaves of the direct map without NX, writable or not.
      Why: all of memory lies there at a known offset, so that any data in memory becomes code. A
      page that a program filled is enough to run its content in the kernel.
      How Linux should look: NX throughout, but for the real-mode trampoline, a read-only page
      below 1 MiB.
      False alarm: kernels from 2.6.27 to some 3.x left the first GiB executable. Without NX in
      use the rule stands back.
      Fix: find which table the leaves come from: a static table that was made before NX was
      known, or a set_memory_x() without its way back.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: kernel_physical_mapping_init
      - arch/x86/realmode/init.c, Linux 6.12: set_real_mode_permissions
      - b27a43c1e90 (2.6.28): existing entries of the direct map keep their permissions
      """
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      guard let area = table.layout.first(.directMap) else { return [] }
      let bad = table.layout.runs(area.kind, in: table.space).filter {
        $0.isLeaf && $0.effective & mode.noExecute == 0
          && !($0.effective & mode.write == 0 && $0.last - area.start < 1 << 20)
      }
      guard !bad.isEmpty else { return [] }
      return [
        Finding(
          rule, "\(total(bad)) of the direct map can be executed", in: table, runs: bad, area: area,
          evidence: evidence(bad, subject, table),
          help: "set NX where the direct map is made (kernel_physical_mapping_init)")
      ]
    }
  }
}
