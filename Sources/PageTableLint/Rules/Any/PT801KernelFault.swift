internal import PageTables

extension Rule {
  /// An access that the processor refused.
  static let kernelFault = Rule(
    id: "PT801", name: "kernel-fault", severity: .warning,
    summary: "the log reports a page fault or a general protection fault of the kernel",
    needs: [.reports],
    documentation: """
      What: an oops of the log: an access that no entry allowed, or whose address is not canonical.
      The finding says why it faulted, by the entries that the report prints, and which level is to
      blame.
      Why: the kernel went on without the code that faulted, or stopped; what that code held is
      lost.
      How Linux should look: no oops. A user program's own fault (segfault at) is none.
      False alarm: tests that fault on purpose: LKDTM, KUnit's fault tests, a crash that sysrq asked
      for. An access that its code expects and recovers from prints no oops.
      Fix: look at the code at the instruction pointer and where its pointer came from. Entries that
      contradict the error code point to other tables, a stale TLB or a hypervisor.
      References:
      - arch/x86/mm/fault.c, Linux 6.12: show_fault_oops
      - arch/x86/kernel/traps.c, Linux 6.12: exc_general_protection
      """
  ) { rule, subject in
    reports(rule, subject, of: [.pageFault, .externalAbort, .generalProtection]) { judged in
      guard let code = judged.fault.instruction, code.mentions("+0x") else {
        return "look for the code that made the access in the log's call trace"
      }
      return "look at \(code), and where its pointer came from"
    }
  }
}
