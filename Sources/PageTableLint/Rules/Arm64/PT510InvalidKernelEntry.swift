internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Entries of the kernel's half that are neither valid nor empty.
  static let invalidKernelEntry = Rule(
    id: "PT510", name: "invalid-kernel-entry", severity: .warning,
    summary: "an entry of the kernel's half is not valid and not empty", serves: .arm64,
    needs: [.physicalAddresses, .kfencePool],
    documentation: """
      What: an entry of the kernel's half whose valid bit is clear and that has other bits. Or one
      with a type which its level does not know.
      Why: what used to be mapped there faults at the first touch: a bit was lost, or the table was
      overwritten.
      How Linux should look: an entry that is given up is cleared whole. Only in the direct map does
      the kernel clear the valid bit alone. It does so for KFENCE's pages, for debug_pagealloc, for
      memfd_secret(), for the memory of a crash kernel, and since 7.3 for the image's data (seen).
      False alarm: those five, of which the rule leaves out what it can see. That is KFENCE's pool,
      a crash kernel's memory, and the image's data where most of it is not valid. All of the direct
      map is left out while files of memfd_secret() are open (secretmem_users). So it is where more
      than one page in 64 is not valid. An extract of an older version does not tell
      secretmem_users.
      Fix: see what overwrote the entry.
      References:
      - arch/arm64/mm/pageattr.c, Linux 6.12: set_memory_valid, set_direct_map_invalid_noflush
      - arch/arm64/kernel/machine_kexec.c, Linux 6.12: arch_kexec_protect_crashkres
      """, comparesParts: true, givesWayTo: ["PT010", "PT609", "PT501"]
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let invalid = table.notPresent
      let map = invalid.filter { table.layout.area(of: $0.start).kind == .directMap }
      let taken = subject.takenFromDirectMap(map, of: table)
      let bad = invalid.filter { run in
        !taken.contains { $0.lowerBound <= run.start && run.last <= $0.upperBound }
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) not valid, and the entries not empty", in: table, runs: runs,
          area: area, evidence: evidence(runs, subject, table), help: "see what overwrote the entry"
        )
      }
    }
  }
}

extension Subject {
  /// Where the kernel takes pages out of the direct map on purpose.
  ///
  /// - Parameter invalid: what is taken out there.
  fileprivate func takenFromDirectMap(_ invalid: [Run], of table: Table) -> [ClosedRange<UInt64>] {
    guard let (area, base) = directMap(of: table), let image else { return [] }
    let crash = (resources?.value ?? []).filter { $0.name == "Crash kernel" }.map {
      base &+ $0.start...base &+ $0.last
    }
    func size(_ runs: [Run]) -> UInt64 { runs.reduce(0) { $0 &+ $1.size } }
    func isInside(_ run: Run, _ range: ClosedRange<UInt64>) -> Bool {
      range.lowerBound <= run.start && run.last <= range.upperBound
    }
    let data = imageDataFrames.map { base &+ $0.lowerBound...base &+ $0.upperBound }.flatMap {
      range in
      let lacking = size(invalid.filter { isInside($0, range) })
      return lacking > (range.upperBound - range.lowerBound) / 2 ? range : nil
    }
    let known = [image.kfencePool, data].compactMap { $0 } + crash
    let others = invalid.filter { run in !known.contains { isInside(run, $0) } }
    let mapped = size(table.runs(.directMap).filter { $0.kind != .hole })
    let isUsual =
      image.values[Arm64.secretUsers].map { $0 != 0 } ?? false || size(others) > mapped / 64
    return isUsual ? [area.start...area.last] : known
  }

  /// The frames of the image from its data to the end of bss.
  private var imageDataFrames: ClosedRange<UInt64>? {
    guard let image = symbols?["_text"], let first = self.image?.imageFrames?.lowerBound,
      let data = section("_sdata", "__bss_stop")
    else { return nil }
    let start = data.lowerBound &- image &+ first
    let last = data.upperBound &- image &+ first
    return start <= last ? start...last : nil
  }
}

extension Rule.Need {
  /// Whose guard pages are not valid.
  fileprivate static let kfencePool = Rule.Need(
    "where KFENCE has its pool (__kfence_pool)",
    "not known where KFENCE has its pool (__kfence_pool): the image's symbols tell it"
  ) { $0.image?.tellsKfencePool == true }.toldBySymbols()
}
