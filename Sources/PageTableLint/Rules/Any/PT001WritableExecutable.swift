internal import KernelImages
internal import PageTables

extension Rule {
  /// Kernel memory that is writable and executable at once.
  static let writableExecutable = Rule(
    id: "PT001", name: "writable-executable", severity: .error,
    summary: "kernel memory is writable and executable",
    needs: [
      .noExecute, .settledImage,
      .release(toJudge: .writableExecutable) { subject in
        subject.tables.flatMap { grouped(writableExecutableRuns(subject, $0), $0) }
      },
    ],
    documentation: """
      What: a present leaf of the kernel half that is writable and executable after all levels. The
      direct map is left to PT004, the kernel's text to PT008 where symbols tell it, EFI's area to
      PT011.
      Why: whoever can write there can run code in the kernel.
      How Linux should look: none from mark_rodata_ro() on: text is read-only and executable, all
      else NX. The kernel looks itself at the end of its start (CONFIG_DEBUG_WX) and logs "Checked
      W+X mappings: passed, no W+X pages found."
      False alarm: Xen PV, where an upper level carries NX. A text dump shows the leaf's own bits,
      not what upper levels take away; an image shows both. Without NX in use, and in a dump from
      before mark_rodata_ro(), the rule is skipped. Kernels before 4.11 may leave modules so
      (CONFIG_DEBUG_SET_MODULE_RONX was a choice), and kernels before 2.6.38 the image's data. Such
      memory is a note there. Where no release is known, the rule is skipped.
      Fix: find who mapped it: the area, and the owner of the table. Code is mapped by
      set_memory_rox(), data stays NX.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/mm/dump_pagetables.c, Linux 6.12: note_wx
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: set_memory_rox
      - 0f5bf6d0afe4 (4.11): STRICT_MODULE_RWX; 5bd5a452662b (2.6.38): NX for the kernel's data
      """
  ) { rule, subject in
    subject.tables.flatMap { table in
      grouped(writableExecutableRuns(subject, table), table).flatMap { area, runs in
        byHabit(runs, area, .writableExecutable, subject).map { habit, runs in
          Finding(
            rule, severity: habit == nil ? nil : .note,
            "\(total(runs)) writable and executable\(words(habit))", in: table, runs: runs,
            area: area, evidence: evidence(runs, subject, table) + evidence(habit),
            help: "map code read-only: set_memory_rox(), or NX where it is data")
        }
      }
    }
  }

  private static func writableExecutableRuns(_ subject: Subject, _ table: Table) -> [Run] {
    table.runsOutsideDirectMap.filter {
      $0.isWritableExecutable && table.layout.area(of: $0.start).kind != .efi
        && subject.textAddresses?.contains($0.start) != true
    }
  }
}
