internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Direct-map leaves that lead elsewhere than their own offset.
  static let directMapOffsetMismatch = Rule(
    id: "PT601", name: "direct-map-offset-mismatch", severity: .error,
    summary: "the direct map is not direct",
    needs: [.physicalAddresses, .directMapBase, .ownFrames],
    documentation: """
      What: a leaf of the direct map whose physical address is not its offset in the map.
      Why: __va() and __pa() compute what the tables should say. Where the two disagree each write
      goes to memory that belongs to somebody else.
      How Linux should look: none. Holes are healthy (memory that was taken out of the map), detours
      are not.
      False alarm: guests that share memory with their host by an address bit (TDX, Hyper-V). One
      and the same bit is a note, unless the log shows that there is none. Xen PV guests, whose
      frames are the machine's (the rule is silent where Xen is known); a wrong base: `ptdump-lint
      info` tells where it comes from.
      Fix: memory corruption, unless the base is wrong.
      References:
      - Documentation/arch/x86/x86_64/mm.rst, Linux 6.12
      """, givesWayTo: ["PT501"]
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      guard let (area, base) = subject.directMap(of: table) else { return [] }
      let bad = table.runs(area.kind).filter { run in
        guard run.isLeaf, let physical = run.physical else { return false }
        return physical != run.start &- base || (run.repeats && run.size > table.space.mode.granule)
      }
      guard !bad.isEmpty else { return [] }
      // Guests share memory with their host by an address bit.
      let bits = Set(bad.map { ($0.physical ?? 0) ^ ($0.start &- base) })
      if subject.sharesByAddress != false, bits.count == 1,
        let bit = bits.first, bit.nonzeroBitCount == 1, bit >= 1 << 36
      {
        return [
          Finding(
            rule, severity: .note,
            "\(total(bad)) of the direct map have the address bit \(bit.entry)",
            in: table, runs: bad, area: area, evidence: evidence(bad, subject, table),
            help: "nothing in a TDX or Hyper-V guest, which shares memory with its host so")
        ]
      }
      return [
        Finding(
          rule, "\(total(bad)) of the direct map lead elsewhere", in: table, runs: bad,
          area: area, evidence: evidence(bad, subject, table),
          help: "memory corruption, or a wrong base of the direct map")
      ]
    }
  }
}
