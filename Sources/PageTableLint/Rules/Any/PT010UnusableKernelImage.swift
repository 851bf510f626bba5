internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Pages of the kernel image that cannot be used as what they are.
  static let unusableKernelImage = Rule(
    id: "PT010", name: "unusable-kernel-image", severity: .error,
    summary: "a part of the kernel image, or a module's code, cannot be used as it must be",
    needs: [.noExecute, .sections(("_text", "_etext"), ("_sdata", "_edata")), .settledImage],
    documentation: """
      What: text of the kernel image that is not mapped or not executable. Or rodata that is not
      mapped, or data or bss that is not mapped or not writable. Code of a loaded module that is not
      executable.
      Why: the kernel faults when it comes there: an oops in a function that never failed, or a
      write to a variable that is refused.
      How Linux should look: mark_rodata_ro() leaves text executable and all between _sdata and
      _edata and between __bss_start and __bss_stop writable. Freed init memory lies between them.
      False alarm: the page of idt_table is read-only by design. What P, a frame or another level
      explains is that rule's. Before the image is protected the rule is skipped.
      Fix: see who changed the entry; a single bit says that memory was corrupted.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/kernel/vmlinux.lds.S, Linux 6.12
      """,
    givesWayTo: [
      "PT005", "PT106", "PT206", "PT307", "PT311", "PT501", "PT502", "PT504", "PT505", "PT506",
      "PT507",
      "PT508", "PT602",
    ]
  ) { rule, subject in
    let table = subject.kernel
    func runs(_ start: String, _ end: String, _ isBad: (Run) -> Bool) -> [Run] {
      guard let part = subject.section(start, end) else { return [] }
      return table.runs(from: part.lowerBound, through: part.upperBound).filter(isBad)
    }
    func isMissing(_ run: Run) -> Bool { run.kind == .hole || run.kind == .notPresent }
    /// Those that are read-only and may not be: all but the page of a symbol that is so by design.
    func readOnly(_ start: String, _ end: String) -> [Run] {
      let granule = table.space.mode.granule
      let meant = subject.architecture.earlyReadOnlySymbols.compactMap { name in
        subject.symbols?[name].map { $0 & ~(granule - 1) }
      }
      return runs(start, end) { $0.isLeaf && !$0.access.isWritable }.flatMap { run -> [Run] in
        guard let page = meant.first(where: run.contains) else { return [run] }
        let span = table.space.mode.span(of: run)
        return [
          run.clipped(from: run.start, through: page &- 1, span: span),
          run.clipped(from: page &+ granule, through: run.last, span: span),
        ].compactMap { $0 }
      }
    }
    // Xen has page tables and descriptor tables read-only, wherever they lie.
    let areXens = subject.facts.xen?.value == true
    let data = [("_sdata", "_edata"), ("__bss_start", "__bss_stop")]
    let found: [(runs: [Run], what: String, fix: String)] = [
      (runs("_text", "_etext", isMissing), "text not mapped", "map it again"),
      (
        runs(subject.architecture.codeStart, "_etext") { $0.isLeaf && !$0.access.isExecutable },
        "text not executable",
        "clear NX: set_memory_x()"
      ),
      (runs("__start_rodata", "__end_rodata", isMissing), "rodata not mapped", "map it again"),
      (data.flatMap { runs($0, $1, isMissing) }, "data not mapped", "map it again"),
      (
        areXens ? [] : data.flatMap(readOnly), "data read-only", "make it writable: set_memory_rw()"
      ),
      (
        moduleText(subject).filter { $0.isLeaf && !$0.access.isExecutable },
        "module text not executable", "clear NX: set_memory_x()"
      ),
    ]
    return found.filter { !$0.runs.isEmpty }.map { runs, what, fix in
      Finding(
        rule, "\(total(runs)) of the kernel's \(what)", in: table, runs: runs,
        evidence: evidence(runs, subject, table), help: "see who changed the entry, and \(fix)")
    }
  }

  /// What is mapped of the modules' code.
  private static func moduleText(_ subject: Subject) -> [Run] {
    (subject.image?.moduleTexts() ?? []).flatMap { text in
      subject.kernel.runs(from: text.range.lowerBound, through: text.range.upperBound)
    }
  }
}
