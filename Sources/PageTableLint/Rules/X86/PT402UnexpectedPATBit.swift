internal import PageTables

extension Rule {
  /// Leaves with the PAT bit and cache bits that Linux never puts together.
  static let unexpectedPATBit = Rule(
    id: "PT402", name: "unexpected-pat-bit", severity: .warning,
    summary: "a leaf has the PAT bit where Linux never sets it", serves: .x86, needs: [],
    documentation: """
      What: a leaf with the PAT bit (bit 7 of a 4K leaf, bit 12 of a large one) and cache bits 0 or
      2. They choose entries 4 and 6 of the processor's table.
      Why: Linux gives those entries the types of 0 and 2 and uses them for nothing. On a 4K leaf
      the bit is what marks a large page a level above: an entry was copied between levels. On a
      large leaf it is the lowest bit of a 4K frame.
      How Linux should look: PAT only with PWT: write-protected (5) and write-through (7).
      False alarm: kernels before 4.2 used the table otherwise; hypervisors' own tables.
      Fix: see what made the leaf: pgprot_4k_2_large() and pgprot_large_2_4k() move the bit.
      References:
      - arch/x86/mm/pat/memtype.c, Linux 6.12: pat_bp_init
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12: pgprot_large_2_4k
      - 7a5714e0186b: the bit's place when a large page is split
      """
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let half = table.space.mode.upperHalf
      guard let types = table.space.mode.memoryTypes else { return [] }
      let bad = table.runs.filter { run in
        guard run.isLeaf, run.start >= half else { return false }
        let index = types.index(run.flags, level: Int(run.level))
        return index == 4 || index == 6
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) with the PAT bit that Linux does not use", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table),
          help: "see what made the leaf: the bit was taken over from another level")
      }
    }
  }
}
