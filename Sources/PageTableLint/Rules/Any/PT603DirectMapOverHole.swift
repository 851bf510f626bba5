internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Direct-map leaves over what is no memory.
  static let directMapOverHole = Rule(
    id: "PT603", name: "direct-map-over-hole", severity: .warning,
    summary: "the direct map maps what is no memory",
    needs: [.physicalAddresses, .directMapBase, .memoryMap, .noReleaseBefore(3, 9)],
    documentation: """
      What: a write-back leaf of the direct map over physical addresses that belong to a device, or
      to nothing, by the machine's memory map.
      Why: the processor may read ahead through it. Machines have stopped with machine checks since
      a large page of the direct map covered the hole below 4G or a HyperTransport range.
      How Linux should look: memory alone, and what firmware reserves beside it.
      False alarm: the first 1 MiB, which is mapped whole (the rule leaves it out); memory that was
      taken away while the system ran. Kernels before 3.9 mapped holes too: the rule is skipped
      there. Where a large page covers the end of a bank only, the finding is a note.
      Fix: see which range init_memory_mapping() was given; the log's "BIOS-e820" lines tell the
      map.
      References:
      - arch/x86/mm/init.c, Linux 6.12: init_range_memory_mapping
      - 66520ebc2df3 (3.9): maps RAM ranges only
      """
  ) { rule, subject in
    let known = subject.notDevices
    let lowest: UInt64 = 1 << 20
    return subject.tables.flatMap { table -> [Finding] in
      guard let (area, base) = subject.directMap(of: table) else { return [] }
      var bad: [Run] = []
      for run in table.runs(.directMap) where run.isLeaf {
        guard let physical = run.physical, physical == run.start &- base, !run.repeats,
          table.space.mode.memoryType(of: run) == .writeBack, physical &+ (run.size - 1) >= lowest
        else { continue }
        let span = table.space.mode.span(of: run)
        for gap in known.gaps(in: max(lowest, physical)...(physical &+ (run.size - 1))) {
          let part = run.clipped(
            from: base &+ gap.lowerBound, through: base &+ gap.upperBound, span: span)
          if let part { bad.append(part) }
        }
      }
      guard !bad.isEmpty else { return [] }
      // A large page over the end of a bank: less than one page of it is no memory.
      let isTail = bad.allSatisfy {
        $0.level > 1 && $0.size < table.space.mode.span(of: $0)
      }
      let first = bad[0].physical ?? 0
      let device = subject.resources?.value.last { $0.start <= first && first <= $0.last }
      return [
        Finding(
          rule, severity: isTail ? .note : nil,
          "\(total(bad)) of the direct map are over no memory",
          in: table, runs: bad, area: area,
          evidence: [
            "the memory map has \(device.map { "\"\($0.name)\"" } ?? "nothing") at \(first.entry)"
          ] + evidence(bad, subject, table),
          help: "see which range was given to init_memory_mapping()")
      ]
    }
  }
}
