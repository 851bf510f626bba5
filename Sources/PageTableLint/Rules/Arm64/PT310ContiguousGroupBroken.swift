internal import KernelImages
internal import PageTables

extension Rule {
  /// A group of leaves that claim to be one, and are not.
  static let contiguousGroupBroken = Rule(
    id: "PT310", name: "contiguous-group-broken", severity: .error,
    summary: "leaves with the contiguous bit are no whole group of equals", serves: .arm64,
    needs: [],
    documentation: """
      What: leaves of the kernel's half with the contiguous bit whose group is misaligned. Or whose
      group has members without the bit, members that are not valid, or members that differ in their
      attributes. In an image also those whose frames do not follow each other.
      Why: the processor may keep one translation for the whole group, made of any member. Which
      rights and which frame an access then meets depends on the one that came first; some
      processors report a conflict in the TLB.
      How Linux should look: groups of 16 leaves with 4K pages (64K, or 32M of 2M blocks), of 128 or
      32 with 16K, of 32 with 64K. They are aligned, complete and alike. Text and data of the image,
      the direct map without rodata=full, and EFI's devices have them. A change of a part takes the
      bit away from all members first.
      False alarm: AF and the dirty state of a process's group may differ, which is why user memory
      is left out. Where Linux makes no groups, each one is wrong. What changed a single
      member's right, type or frame is another rule's finding, with this as evidence.
      Fix: find who changed single members: contiguous leaves are changed together, break before
      make.
      References:
      - arch/arm64/include/asm/pgtable-hwdef.h, Linux 6.12: CONT_PTES, CONT_PMDS
      - arch/arm64/mm/mmu.c, Linux 6.12: alloc_init_cont_pte, pgattr_change_is_safe
      - Arm ARM, D8.7.1: the contiguous bit
      """, comparesParts: true,
    givesWayTo: [
      "PT001", "PT002", "PT004", "PT005", "PT008", "PT009", "PT010", "PT015", "PT101", "PT109",
      "PT112", "PT209", "PT404", "PT405", "PT406", "PT407", "PT501", "PT510", "PT511", "PT601",
      "PT602", "PT604", "PT609", "PT612",
    ]
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      var bad: [Run] = []
      for run in contiguousRuns(table) {
        for group in brokenGroups(of: run, mode) {
          // What became of a member may be another rule's finding, which takes this as its sign.
          guard subject.mayLook(Looks.piece) else { break }
          let from = max(group.lowerBound, bad.last.map { $0.last &+ 1 } ?? 0)
          guard from <= group.upperBound else { continue }
          bad += table.runs(from: from, through: group.upperBound)
        }
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) with the contiguous bit, of groups that are not whole or not alike",
          in: table, runs: runs, area: area, evidence: evidence(runs, subject, table),
          help: "change the members of a group together, or take the bit from all of them first")
      }
    }
  }

  private static let contiguousBit: UInt64 = 1 << 52

  /// The leaves with the contiguous bit, as the processor tells them apart.
  private static func contiguousRuns(_ table: Table) -> [Run] {
    let mode = table.space.mode
    var runs: [Run] = []
    for run in table.runs
    where run.isLeaf && run.start >= mode.upperHalf && run.flags & contiguousBit != 0 {
      var alike = run
      alike.flags &= ~ignored(run.flags)
      Run.append(alike, to: &runs, mode: mode)
    }
    return runs
  }

  /// NS, the highest bits, and DBM where the memory is writable without it.
  ///
  /// Source: Arm ARM, D8.3.2 and D8.4.6.
  private static func ignored(_ flags: UInt64) -> UInt64 {
    let isReadOnly = flags & 1 << 7 != 0
    return 1 << 5 | 0x1f << 59 | (isReadOnly ? 0 : 1 << 51)
  }

  /// The groups at the ends of a run of equal leaves that it holds in part; all of a run whose frames
  /// are not aligned as its addresses are, or whose level knows no groups.
  private static func brokenGroups(of run: Run, _ mode: TableFormat) -> [ClosedRange<UInt64>] {
    let members = mode.arm64ContiguousEntries(level: Int(run.level))
    let group = UInt64(members) * mode.span(of: run)
    guard members > 0, !run.repeats,
      run.physical.map({ ($0 ^ run.start) & (group - 1) == 0 }) ?? true
    else { return [run.start...run.last] }
    func around(_ address: UInt64) -> ClosedRange<UInt64> {
      (address & ~(group - 1))...(address | (group - 1))
    }
    var found: [ClosedRange<UInt64>] = []
    if run.start & (group - 1) != 0 { found.append(around(run.start)) }
    if run.end & (group - 1) != 0, found.last?.contains(run.last) != true {
      found.append(around(run.last))
    }
    return found
  }
}
