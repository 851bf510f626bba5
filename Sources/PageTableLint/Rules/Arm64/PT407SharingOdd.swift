internal import KernelImages
internal import PageTables

extension Rule {
  /// Memory that the processors do not keep coherent.
  static let sharingOdd = Rule(
    id: "PT407", name: "sharing-odd", severity: .warning,
    summary: "kernel memory is not inner shareable, the rest is", serves: .arm64, needs: [],
    documentation: """
      What: a leaf of normal memory in the kernel's half whose shareability (SH, bits 9 and 8) is
      not inner shareable, where most of it is.
      Why: the caches of other processors need not take part: a lock or a counter there may differ
      from processor to processor.
      How Linux should look: PTE_SHARED in each leaf; with LPA2 the bits are of the address, and the
      sharing stands in TCR_EL1.
      False alarm: a kernel without CONFIG_SMP sets the bits nowhere, and is left out.
      Fix: see what overwrote the entry: PROT_DEFAULT has PTE_SHARED.
      References:
      - arch/arm64/include/asm/pgtable-prot.h, Linux 6.12: _PROT_DEFAULT, PTE_MAYBE_SHARED
      """, comparesParts: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      guard let shared = mode.attributes.first(where: { $0.set == "SHD" })?.test else { return [] }
      let leaves = table.runs.filter { run in
        run.isLeaf && run.start >= mode.upperHalf
          && [.writeBack, .writeCombining].contains(mode.memoryType(of: run))
      }
      let bad = leaves.filter { !shared.matches($0.flags) }
      func size(_ runs: [Run]) -> UInt64 { runs.reduce(0) { $0 &+ $1.size } }
      guard size(bad) < size(leaves) / 2 else { return [] }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of kernel memory not inner shareable, the rest is", in: table,
          runs: runs, area: area, evidence: evidence(runs, subject, table),
          help: "set SH to inner shareable: PTE_SHARED")
      }
    }
  }
}
