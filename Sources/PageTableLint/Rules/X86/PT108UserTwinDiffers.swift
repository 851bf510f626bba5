internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// What PTI's user table maps of the kernel otherwise than the kernel's own table.
  static let userTwinDiffers = Rule(
    id: "PT108", name: "user-twin-differs", severity: .error,
    summary: "PTI's two tables map one address otherwise",
    serves: .x86, needs: [.physicalAddresses, .ptiOn, .userTwin],
    documentation: """
      What: an address of the kernel's half that PTI's two tables map to two frames, or that only
      one of them lets write or run. Or entry text that the kernel's table maps and the user's does
      not.
      Why: the first instructions of each system call, interrupt and exception run with the user's
      table. Where it differs the kernel faults there, or runs what is not its own.
      How Linux should look: pti_clone_pgtable() copies the entries, and a table that both share
      cannot differ.
      False alarm: none known. G and sizes may differ; G is PT207's.
      Fix: see what changed one of the tables alone.
      References:
      - arch/x86/mm/pti.c, Linux 6.12: pti_clone_pgtable, pti_clone_entry_text
      """,
    comparesParts: true,
    givesWayTo: [
      "PT001", "PT002", "PT005", "PT006", "PT008", "PT010", "PT501", "PT502", "PT504", "PT505",
      "PT506", "PT507", "PT508", "PT601", "PT602",
    ]
  ) { rule, subject in
    guard let twin = subject.userTwin else { return [] }
    let bad = subject.kernel.sharedParts(with: twin).filter { own, other in
      own.physical != other.physical || own.access.isWritable != other.access.isWritable
        || own.access.isExecutable != other.access.isExecutable
    }.map(\.other)
    let missing = missingEntryText(subject, twin)
    return grouped(bad, twin).map { area, runs in
      Finding(
        rule, "\(total(runs)) otherwise than in the kernel's table", in: twin, runs: runs,
        area: area,
        evidence: evidence(runs, subject, twin)
          + evidence(
            runs.flatMap { subject.kernel.runs(from: $0.start, through: $0.last) }, subject,
            subject.kernel),
        help: "see what changed one of the two tables alone")
    }
      + (missing.isEmpty
        ? []
        : [
          Finding(
            rule, "\(total(missing)) of entry text not in the user's table", in: twin,
            runs: missing,
            evidence: evidence(missing, subject, twin),
            help: "see why pti_clone_entry_text() did not copy it, or who cleared it")
        ])
  }

  /// The entry text that the kernel's table maps and the user's does not.
  private static func missingEntryText(_ subject: Subject, _ twin: Table) -> [Run] {
    guard let part = subject.section("__entry_text_start", "__entry_text_end") else { return [] }
    return twin.runs(from: part.lowerBound, through: part.upperBound).filter { run in
      (run.kind == .hole || run.kind == .notPresent)
        && subject.kernel.runs(from: run.start, through: run.last).contains(where: \.isLeaf)
    }
  }
}
