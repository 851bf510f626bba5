internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Pages of bad memory that the direct map still has.
  static let poisonedPageStillMapped = Rule(
    id: "PT308", name: "poisoned-page-still-mapped", severity: .warning,
    summary: "a page that the log calls poisoned is mapped in the direct map",
    needs: [.directMapBase, .log, .area(.directMap)],
    documentation: """
      What: a page whose memory failed, by the log, and which the direct map still maps.
      Why: the processor may read ahead through it, and stops with a machine check again.
      How Linux should look: after a machine check the page is taken out of the direct map
      (set_mce_nospec()); where that fails the log says so.
      False alarm: where the kernel did not recover it takes nothing out: a note. Persistent memory
      is mapped again once it was written over: the rule looks at System RAM only. Memory-failure
      reports without a machine check (madvise, hwpoison-inject) take nothing out: those are
      reported as a note. Pages that were unpoisoned later are left out.
      Fix: see why set_mce_nospec() failed: out of memory for the split of a large page.
      References:
      - arch/x86/kernel/cpu/mce/core.c, Linux 6.12: kill_me_maybe
      - mm/memory-failure.c, Linux 6.12
      """
  ) { rule, subject in
    guard let base = subject.facts.directMap?.value, let log = subject.log?.value else { return [] }
    let table = subject.kernel
    guard let area = table.layout.first(.directMap) else { return [] }
    let size = table.space.mode.granule
    return PoisonLog.read(subject.looking(at: log)).sorted { $0.key < $1.key }.compactMap {
      frame, line in
      let physical = frame &* size
      let address = base &+ physical
      guard frame < 1 << 40, address <= area.last, let run = table.run(at: address),
        run.isLeaf, table.space.mode.memoryType(of: run) == .writeBack,
        subject.resources == nil || subject.image?.isMemory(physical) != false
      else { return nil }
      let page = Run(
        start: address, last: address &+ (size - 1), kind: .leaf, level: Int(run.level),
        flags: run.flags, access: run.access, physical: physical)
      return Finding(
        rule, severity: line.isMachineCheck && line.isTakenOut ? nil : .note,
        "the poisoned page \(physical.entry) is mapped in the direct map", in: table,
        runs: [page], area: area,
        evidence: [.logLine(line.number, line.text)] + evidence([page], subject, table),
        help: line.isMachineCheck
          ? "see why the kernel could not take it out of the direct map"
          : "nothing, where no machine check was reported: only those are taken out")
    }
  }
}
