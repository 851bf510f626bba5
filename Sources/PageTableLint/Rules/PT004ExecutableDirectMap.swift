internal import PageTables

extension Rule {
  /// Memory that the direct map lets the kernel execute.
  static let executableDirectMap = Rule(
    id: "PT004", name: "executable-direct-map", severity: .error,
    summary: "the direct map is executable", needs: [.noExecute],
    documentation: """
      What: leaves of the direct map without NX, writable or not.
      Why: all of memory is at a known offset there; data becomes code.
      How Linux should look: NX throughout, but for one read-only page below 1 MiB, the real-mode
      trampoline (arch/x86/realmode/init.c).
      False alarm: kernels of 2.6.27 to 3.x left the first GiB executable; CPUs without NX.
      Fix: find which table the leaves come from: static tables made before NX was known.
      """
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      guard let area = table.layout.first(.directMap) else { return [] }
      let bad = table.space.runs(from: area.start, through: area.last).filter {
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
