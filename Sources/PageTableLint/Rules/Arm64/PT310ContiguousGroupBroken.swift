internal import KernelImages
internal import PageTables

extension Rule {
  /// A group of leaves that claim to be one, and are not.
  static let contiguousGroupBroken = Rule(
    id: "PT310", name: "contiguous-group-broken", severity: .error,
    summary: "leaves with the contiguous bit are no whole group of equals", serves: .arm64,
    needs: [],
    documentation: """
      What: leaves of the kernel's half with the contiguous bit whose group is misaligned, has members
      without the bit or not valid, or members that differ in their attributes, or, in an image,
      whose frames do not follow each other.
      Why: the processor may keep one translation for the whole group, made of any member. Which rights
      and which frame an access then meets depends on the one that came first; some processors report
      a conflict in the TLB.
      How Linux should look: groups of 16 leaves with 4K pages (64K, or 32M of 2M blocks), of 128 or 32
      with 16K, of 32 with 64K, aligned, complete and alike: text and data of the image, the direct
      map without rodata=full, and EFI's devices. A change of a part takes the bit away from all
      members first.
      False alarm: AF and the dirty state of a process's group may differ, which is why user memory is
      left out. A level at which Linux makes no groups has none in order.
      Fix: find who changed single members: contiguous leaves are changed together, break before make.
      References:
      - arch/arm64/include/asm/pgtable-hwdef.h, Linux 6.12: CONT_PTES, CONT_PMDS
      - arch/arm64/mm/mmu.c, Linux 6.12: alloc_init_cont_pte, pgattr_change_is_safe
      - Arm ARM, D8.7.1: the contiguous bit
      """, comparesParts: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let bad = table.runs.filter { run in
        run.isLeaf && run.start >= mode.upperHalf && run.flags & contiguousBit != 0
          && !isOfWholeGroups(run, mode)
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

  /// Whether a run of equal leaves begins and ends at the ends of groups, in memory, too.
  private static func isOfWholeGroups(_ run: Run, _ mode: TableFormat) -> Bool {
    let members = mode.arm64ContiguousEntries(level: Int(run.level))
    guard members > 0, !run.repeats else { return false }
    let group = UInt64(members) * mode.span(of: run)
    return run.start & (group - 1) == 0 && run.size & (group - 1) == 0
      && run.physical.map { $0 & (group - 1) == 0 } ?? true
  }
}
