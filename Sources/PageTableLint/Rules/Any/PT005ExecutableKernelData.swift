internal import MemoryImages
internal import PageTables

extension Rule {
  /// Data of the kernel image that can be run.
  static let executableKernelData = Rule(
    id: "PT005", name: "executable-kernel-data", severity: .error,
    summary: "data of the kernel image is executable",
    needs: [.noExecute, .sections(("_text", "_etext"), ("_text", "_end")), .settledImage],
    documentation: """
      What: a read-only leaf of the kernel image after _etext that is executable. It is in rodata,
      data, bss or brk, up to _end, on 64 bits to the end of its 2M page.
      Why: constants and tables become code that an attacker may jump to.
      How Linux should look: mark_rodata_ro() sets NX from _etext to the end of the last 2M page of
      brk.
      False alarm: what is writable as well is PT001's, init's pages are PT006's, and a large page
      that reaches over the end of text is PT302's. Before mark_rodata_ro() the rule is skipped.
      Fix: see which set_memory_x() or direct write took NX away.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/mm/init_32.c, Linux 6.12: mark_nxdata_nx
      """
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let image = subject.imageMapping, let text = subject.section("_text", "_etext"),
      text.upperBound < image.upperBound
    else { return [] }
    let straddling = straddlingLeaves(subject)
    let initMemory = subject.section("__init_begin", "__init_end")
    let bad = table.runs(from: text.upperBound + 1, through: image.upperBound).filter { run in
      run.isReadOnlyExecutable && initMemory?.contains(run.start) != true
        && !straddling.contains { $0.start <= run.start && run.last <= $0.last }
    }
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) of the kernel's data executable", in: table, runs: bad,
        evidence: evidence(bad, subject, table), help: "set NX: set_memory_nx()")
    ]
  }
}
