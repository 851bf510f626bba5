internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A trampoline's table with more in it than the trampoline, or less.
  static let trampolineTableWrong = Rule(
    id: "PT111", name: "trampoline-table-wrong", severity: .error,
    summary: "the table of the trampoline maps more than its text, or less", serves: .arm64,
    needs: [.userTwin],
    documentation: """
      What: with KPTI, a leaf in the kernel's half of the trampoline's table that is not the
      trampoline's text. It has another frame (by __entry_tramp_text_start, else beyond 64 KiB), is
      writable, is not executable, or lies outside the fixmap. A page of the text that the kernel's
      table has and this one lacks.
      Why: with this table programs run. What it maps of the kernel can be read through the
      processor's speculation (Meltdown), and a global or writable page there is open for more.
      Without the text the first exception from user mode finds no vector.
      How Linux should look: one to three pages of 4K, one of 16K or 64K, read-only and executable,
      at the addresses at which the kernel's own table has them.
      False alarm: none known. Without symbols only the size tells what is text.
      Fix: see who wrote the table: map_entry_trampoline() fills it once.
      References:
      - arch/arm64/mm/mmu.c, Linux 6.12: map_entry_trampoline
      - arch/arm64/kernel/vmlinux.lds.S, Linux 6.12: TRAMP_TEXT
      """, comparesParts: true, givesWayTo: ["PT501"]
  ) { rule, subject in
    guard let twin = subject.userTwin else { return [] }
    let mode = twin.space.mode
    let text = subject.trampolineFrames
    let leaves = twin.runs.filter { $0.isLeaf && $0.start >= mode.upperHalf }
    var bad = leaves.filter { run in
      !(run.isReadOnlyExecutable && twin.layout.mayBe(.fixmap, at: run.start)
        && isText(run, text))
    }
    if text == nil, leaves.reduce(0, { $0 &+ $1.size }) > mostText { bad = leaves }
    let missing = subject.kernel.runs(.fixmap).filter { run in
      run.isReadOnlyExecutable && isText(run, text)
    }.flatMap { run in
      twin.runs(from: run.start, through: run.last).filter { other in
        !other.isLeaf || other.physical != run.physical(of: other.start, span: mode.granule)
      }
    }.filter { run in !bad.contains { $0.start <= run.start && run.start <= $0.last } }
    return grouped(bad, twin).map { area, runs in
      Finding(
        rule, "\(total(runs)) in the trampoline's table that are not its text", in: twin,
        runs: runs, area: area, evidence: evidence(runs, subject, twin),
        help: "see who wrote the table; map_entry_trampoline() fills it once")
    }
      + grouped(missing, twin).map { area, runs in
        Finding(
          rule, "\(total(runs)) of the trampoline's text lacking in its table", in: twin,
          runs: runs, area: area, evidence: evidence(runs, subject, twin),
          help: "see who wrote the table; map_entry_trampoline() fills it once")
      }
  }

  /// The text has one page, or three small ones.
  private static let mostText: UInt64 = 64 << 10

  private static func isText(_ run: Run, _ text: ClosedRange<UInt64>?) -> Bool {
    guard let text, let first = run.physical, !run.repeats else { return run.size <= mostText }
    return text.contains(first) && text.contains(first &+ (run.size - 1))
  }
}

extension Subject {
  /// The frames of the text by which exceptions come from user mode under KPTI; nil without symbols.
  fileprivate var trampolineFrames: ClosedRange<UInt64>? {
    guard let image = symbols?["_text"], let first = self.image?.imageFrames?.lowerBound,
      let text = section("__entry_tramp_text_start", "__entry_tramp_text_end")
    else { return nil }
    let start = text.lowerBound &- image &+ first
    let last = text.upperBound &- image &+ first
    return start <= last ? start...last : nil
  }
}
