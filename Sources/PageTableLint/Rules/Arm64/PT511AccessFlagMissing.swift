internal import KernelImages
internal import PageTables

extension Rule {
  /// Kernel memory whose first access faults.
  static let accessFlagMissing = Rule(
    id: "PT511", name: "access-flag-missing", severity: .warning,
    summary: "kernel memory lacks the access flag", serves: .arm64, needs: [],
    documentation: """
      What: a leaf of the kernel's half without AF (bit 10).
      Why: the first access raises an access flag fault, which the kernel does not expect of its own
      memory: it dies there. Only where hardware sets the flag (FEAT_HAFDBS) nothing is seen.
      How Linux should look: AF in each leaf of the kernel's half from the start (PROT_DEFAULT).
      Programs' pages lack it until they are touched.
      False alarm: none known.
      Fix: see what overwrote the entry, or which protection was made for user memory.
      References:
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: _PROT_DEFAULT
      - arch/arm64/mm/fault.c, Linux 6.12: fault_info
      """
  ) { rule, subject in
    let accessed: UInt64 = 1 << 10
    return subject.tables.flatMap { table in
      let half = table.space.mode.upperHalf
      let bad = table.runs.filter { $0.isLeaf && $0.start >= half && $0.flags & accessed == 0 }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of kernel memory without AF", in: table, runs: runs, area: area,
          evidence: evidence(runs, subject, table), help: "set AF: PROT_DEFAULT has it")
      }
    }
  }
}
