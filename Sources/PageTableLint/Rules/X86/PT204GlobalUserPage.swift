internal import PageTables

extension Rule {
  /// User memory that stays in the TLB across processes.
  static let globalUserPage = Rule(
    id: "PT204", name: "global-user-page", severity: .error,
    summary: "a user page is global", serves: .x86, needs: [.globalPages, .userHalf],
    documentation: """
      What: a leaf of the user half that user mode may touch and that has _PAGE_GLOBAL.
      Why: its translation survives the switch to another process, which then reads or writes the
      first one's memory at that address.
      How Linux should look: no user page is global; the vsyscall page, which lies in the kernel's
      half, may be.
      False alarm: a Xen PV guest's tables, where the hypervisor sets the bit.
      Fix: see who made the mapping with a kernel protection (PAGE_KERNEL has the bit).
      References:
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12: PAGE_SHARED and its kin lack _PAGE_GLOBAL
      """
  ) { rule, subject in
    subject.tables.compactMap { table -> Finding? in
      let mode = table.space.mode
      let bad = table.runs.prefix { $0.start < mode.upperHalf }.filter {
        $0.isLeaf && $0.access.isUser && $0.flags & mode.global != 0
      }
      guard !bad.isEmpty else { return nil }
      return Finding(
        rule, "\(total(bad)) of user memory global", in: table, runs: bad,
        evidence: evidence(bad, subject, table),
        help: "map user memory with a user protection, which has no _PAGE_GLOBAL")
    }
  }
}
