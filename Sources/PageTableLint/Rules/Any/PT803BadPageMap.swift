extension Rule {
  /// Bookkeeping of a process' pages that does not hold.
  static let badPageMap = Rule(
    id: "PT803", name: "bad-page-map", severity: .error,
    summary: "the log reports a process' entry, page or page count in a state that cannot be",
    needs: [.reports],
    documentation: """
      What: "Bad page map": an entry whose page is none of the process'. "Bad page state": a page
      that was freed while something held it. "Bad rss-counter state": a count of pages that is not
      zero when the process ends.
      Why: an entry was overwritten, or a page was mapped or freed once too often; its memory may be
      in use twice.
      How Linux should look: no such line.
      False alarm: drivers outside of the kernel's tree that map pages by hand. A bad rss-counter
      alone may be a wrong sum without a wrong page; kernels before 4.4 had several such.
      Fix: see what the entry holds, and which driver's file stands in the report. If many processes
      show it, test the memory.
      References:
      - mm/memory.c, Linux 6.12: print_bad_pte
      - mm/page_alloc.c, Linux 6.12: bad_page
      - kernel/fork.c, Linux 6.12: check_mm
      """
  ) { rule, subject in
    reports(rule, subject, of: [.badPageMap, .badPageState, .badCounter]) { judged in
      judged.fault.kind == .badCounter
        ? "look for an earlier report of the same process: this one counts what that one lost"
        : "look for the driver that mapped or freed the page; if many processes show it, test the memory"
    }
  }
}
