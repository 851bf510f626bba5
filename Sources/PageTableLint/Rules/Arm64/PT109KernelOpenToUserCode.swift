internal import KernelImages
internal import PageTables

extension Rule {
  /// Kernel memory that user mode may run.
  static let kernelOpenToUserCode = Rule(
    id: "PT109", name: "kernel-open-to-user-code", severity: .error,
    summary: "user mode may execute kernel memory", serves: .arm64, needs: [],
    documentation: """
      What: a leaf of the kernel's half without UXN, on every level in an image; a text dump shows
      the leaf's own bit.
      Why: on arm64 a page that user mode can neither read nor write may still be run by it. Any
      program jumps into the kernel's code, reads what its loads bring, and finds out where it lies.
      How Linux should look: UXN in each leaf of init_mm, of memory and of devices alike. The kernel
      looks itself (CONFIG_DEBUG_WX) and logs "Found non-UXN mapping at address".
      False alarm: none known. UXNTable in a table pointer forbids it, too, and is counted in an
      image; a text does not show it.
      Fix: find who made the mapping: its protection was not made of PAGE_KERNEL and its kin.
      References:
      - arch/arm64/mm/ptdump.c, Linux 6.12: note_prot_uxn
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: PROT_DEFAULT, PROT_NORMAL
      """
  ) { rule, subject in
    subject.tables.flatMap { table in
      let half = table.space.mode.upperHalf
      let bad = table.runs.filter {
        $0.isLeaf && $0.start >= half && $0.access.contains(.executeInUser)
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of kernel memory that user mode may execute", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table), help: "set UXN in the leaves")
      }
    }
  }
}
