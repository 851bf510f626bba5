extension Rule {
  /// The kernel's own complaints of mappings and of changes to them.
  static let writeExecuteReport = Rule(
    id: "PT804", name: "write-execute-report", severity: .warning,
    summary: "the log reports a writable and executable mapping, or a change that CPA refused",
    needs: [.reports],
    documentation: """
      What: "insecure W+X mapping", "W^X violation", "CPA conflict" or "called for zero pte". The
      kernel found a mapping that is writable and executable, or was asked for one, or for a change
      that the range must not have. Or "non-UXN mapping" (arm64): one of its own that user mode may
      execute.
      Why: whoever can write such memory can run code in the kernel. A refused change means a caller
      with a wrong address or a wrong idea of it.
      How Linux should look: "Checked W+X mappings: passed, no W+X pages found."
      False alarm: lines that healthy boots print are notes, and the finding says why: the kernel's
      own test of CPA on its text (CONFIG_CPA_DEBUG). Where the tables were given and show the page,
      the finding is theirs (PT001, PT008), and the line is its evidence.
      Fix: the finding names the causes that are known for the release; else see who called
      set_memory_x() or set_memory_rw() in the call trace.
      References:
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: note_wx
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: verify_rwx, check_conflict, __cpa_process_fault
      - arch/arm64/mm/ptdump.c, Linux 6.12: note_prot_wx, note_prot_uxn
      """
  ) { rule, subject in
    reports(
      rule, subject, of: [.insecureMapping, .userExecutable, .writeExecute, .conflict, .zeroEntry]
    ) { judged in
      judged.isExpected
        ? "nothing: boots of such a kernel print it"
        : "see who made the mapping or asked for the change in the log's call trace"
    }
  }
}
