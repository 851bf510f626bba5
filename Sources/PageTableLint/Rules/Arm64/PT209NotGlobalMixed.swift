internal import KernelImages
internal import PageTables

extension Rule {
  /// A kernel's half of which a part is global and a part is not.
  static let notGlobalMixed = Rule(
    id: "PT209", name: "not-global-mixed", severity: .error,
    summary: "a part of the kernel's half differs from the rest in nG", serves: .arm64, needs: [],
    documentation: """
      What: leaves of the kernel's half without nG where most of it has the bit, or with it where
      most of it has not.
      Why: with KPTI no kernel leaf but the trampoline's text may be global. What is global stays in
      the TLB when user mode runs, and a program can find the kernel's secrets through it
      (Meltdown). Without KPTI a leaf that is not global costs a TLB entry for each process.
      How Linux should look: one state for the whole half, chosen once (arm64_use_ng_mappings). All
      leaves are nG with KPTI, and with KASLR on processors without E0PD even where KPTI is off.
      Otherwise none is.
      False alarm: the trampoline's text stays global under KPTI: up to 64 KiB of read-only and
      executable leaves, which lie in the fixmap, are left out. EFI's services have a root of their
      own, and are nG always. What the log says of KPTI is not asked: it may say that KPTI is forced
      off where all is nG.
      Fix: find who made the mapping; PROT_DEFAULT has the bit that the kernel chose.
      References:
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: PTE_MAYBE_NG, arm64_use_ng_mappings
      - arch/arm64/mm/mmu.c, Linux 6.12: map_entry_trampoline
      - arch/arm64/kernel/pi/map_kernel.c, Linux 6.12: map_kernel
      """, comparesParts: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let leaves = table.runs.filter { $0.isLeaf && $0.start >= mode.upperHalf }
      let global = leaves.filter { mode.isGlobal($0.flags) && !isTrampoline($0, table) }
      let others = leaves.filter { !mode.isGlobal($0.flags) }
      guard !global.isEmpty, !others.isEmpty else { return [] }
      func size(_ runs: [Run]) -> UInt64 { runs.reduce(0) { $0 &+ $1.size } }
      let isMostlyGlobal = size(global) > size(others)
      return grouped(isMostlyGlobal ? others : global, table).map { area, runs in
        Finding(
          rule, severity: isMostlyGlobal ? .warning : nil,
          isMostlyGlobal
            ? "\(total(runs)) not global, the rest of the kernel is"
            : "\(total(runs)) global, the rest of the kernel is not", in: table, runs: runs,
          area: area,
          evidence: [.words("\(total(global)) without nG, \(total(others)) with it")]
            + evidence(runs, subject, table),
          help: isMostlyGlobal
            ? "clear nG: PROT_DEFAULT chooses it" : "set nG: PROT_DEFAULT chooses it")
      }
    }
  }

  /// The text by which exceptions come from user mode and go back there.
  private static func isTrampoline(_ run: Run, _ table: Table) -> Bool {
    run.isReadOnlyExecutable && run.size <= 64 << 10
      && table.layout.mayBe(.fixmap, at: run.start)
  }
}
