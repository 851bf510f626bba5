internal import KernelImages
internal import PageTables

extension Rule {
  /// Read-only kernel memory that the processor makes writable.
  static let writableByHardware = Rule(
    id: "PT015", name: "writable-by-hardware", severity: .warning,
    summary: "read-only kernel memory turns writable at the first write", serves: .arm64,
    needs: [.physicalAddresses],
    documentation: """
      What: a leaf of the kernel's half that is read-only and has DBM (bit 51), in an image; a text
      does not show the bit.
      Why: with hardware's management of the dirty state (FEAT_HAFDBS, TCR_EL1.HD) such a leaf is
      writable and clean. The first write goes through, and the processor clears the read-only bit.
      How Linux should look: DBM is PTE_WRITE, which set_memory_ro() and PAGE_KERNEL_RO take away
      together with making the leaf read-only. Programs' pages have it until they are written.
      False alarm: a processor without FEAT_HAFDBS keeps the page read-only: the entry is wrong all
      the same.
      Fix: see who set PTE_RDONLY alone, or DBM: pte_wrprotect() is made for user memory.
      References:
      - arch/arm64/include/asm/pgtable-hwdef.h, Linux 6.12: PTE_DBM
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: PTE_WRITE, PAGE_KERNEL_RO
      - Arm ARM, D8.4.6: hardware management of the dirty state
      """
  ) { rule, subject in
    let modifier: UInt64 = 1 << 51
    return subject.tables.flatMap { table in
      let half = table.space.mode.upperHalf
      let bad = table.runs.filter {
        $0.isLeaf && $0.start >= half && $0.flags & modifier != 0 && !$0.access.isWritable
          && !table.space.mode.isWritable($0.flags, level: Int($0.level))
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) read-only with DBM: the first write makes them writable", in: table,
          runs: runs, area: area, evidence: evidence(runs, subject, table),
          help: "clear DBM (PTE_WRITE) where the leaf is read-only: set_memory_ro()")
      }
    }
  }
}

extension TableFormat {
  /// Whether a leaf's own bits let the kernel write, whatever the levels above say.
  fileprivate func isWritable(_ flags: UInt64, level: Int) -> Bool {
    self.level(max(1, level)).leafRights.access(flags).isWritable
  }
}
