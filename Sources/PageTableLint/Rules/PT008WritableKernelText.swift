internal import MemoryImages
internal import PageTables

extension Rule {
  /// Kernel text that can be written where it runs.
  static let writableKernelText = Rule(
    id: "PT008", name: "writable-kernel-text", severity: .error,
    summary: "the kernel's text is writable", needs: [.imageSymbols, .settledImage],
    documentation: """
      What: a leaf between _text and _etext that is writable after all levels, executable or not.
      Why: whoever can write there changes the code of the kernel.
      How Linux should look: text is read-only from mark_rodata_ro() on; ftrace and kprobes patch it
      through a mapping of their own.
      False alarm: a kernel without CONFIG_STRICT_KERNEL_RWX, or a dump from before init ends: there
      no page of the image is read-only, and the rule stands back.
      Fix: see who called set_memory_rw() on text, and its way back.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/kernel/alternative.c, Linux 6.12: __text_poke
      """
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let text = subject.textAddresses else { return [] }
    let bad = table.space.runs(from: text.lowerBound, through: text.upperBound).filter {
      $0.isLeaf && $0.effective & mode.write != 0
    }
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) of the kernel's text writable", in: table, runs: bad,
        evidence: evidence(bad, subject, table), help: "make it read-only: set_memory_ro()")
    ]
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
