internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Kernel text that can be written where it runs.
  static let writableKernelText = Rule(
    id: "PT008", name: "writable-kernel-text", severity: .error,
    summary: "the kernel's text or rodata is writable",
    needs: [
      .symbols("_text", "_etext"), .settledImage,
      .release(toJudge: .writableText) { subject in
        grouped(writableLeaves(subject.textAddresses, subject.kernel), subject.kernel)
      },
    ],
    documentation: """
      What: a leaf of the kernel's text (_text to _etext) that is writable after all levels,
      executable or not. Or a leaf of rodata (__start_rodata to __end_rodata) that is writable.
      Why: whoever can write there changes the code of the kernel, or the pointers and tables that
      it trusts.
      How Linux should look: both are read-only from mark_rodata_ro() on; ftrace and kprobes patch
      text through a mapping of their own.
      False alarm: a kernel without CONFIG_STRICT_KERNEL_RWX, or a dump from before init ends: there
      no page of the image is read-only, and the rule is skipped. Rodata that is executable as well
      is PT001's, and a large page that data shares with it PT302's. Before 2.6.30 ftrace and
      kprobes kept the text writable: a note there, and where no release is known, the rule is
      skipped.
      Fix: see who called set_memory_rw() on it, and its way back.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/kernel/alternative.c, Linux 6.12: __text_poke
      """
  ) { rule, subject in
    let table = subject.kernel
    let straddling = straddlingLeaves(subject)
    let hasNX = subject.facts.nx?.value == true
    let text = writableLeaves(subject.textAddresses, table)
    let rodata = writableLeaves(
      subject.section("__start_rodata", "__end_rodata"), table
    ).filter { run in
      !(hasNX && run.isWritableExecutable)
        && !straddling.contains { $0.start <= run.start && run.last <= $0.last }
    }
    return grouped(text, table).flatMap { area, runs in
      byHabit(runs, area, .writableText, subject).map { habit, runs in
        Finding(
          rule, severity: habit == nil ? nil : .note,
          "\(total(runs)) of the kernel's text writable\(words(habit))", in: table, runs: runs,
          evidence: evidence(runs, subject, table) + evidence(habit),
          help: "make it read-only: set_memory_ro()")
      }
    }
      + (rodata.isEmpty
        ? []
        : [
          Finding(
            rule, "\(total(rodata)) of the kernel's rodata writable", in: table, runs: rodata,
            evidence: evidence(rodata, subject, table), help: "make it read-only: set_memory_ro()")
        ])
  }

  private static func writableLeaves(_ part: ClosedRange<UInt64>?, _ table: Table) -> [Run] {
    guard let part else { return [] }
    return table.runs(from: part.lowerBound, through: part.upperBound).filter {
      $0.isLeaf && $0.access.isWritable
    }
  }
}

extension Subject {
  /// From _text to _etext; nil without symbols.
  var textAddresses: ClosedRange<UInt64>? {
    guard let start = symbols?["_text"], let end = symbols?["_etext"], start < end else {
      return nil
    }
    return start...(end - 1)
  }
}
