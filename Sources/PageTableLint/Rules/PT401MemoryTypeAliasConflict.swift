internal import MemoryImages
internal import PageTables

extension Rule {
  /// Two mappings of one frame with different memory types.
  static let memoryTypeAliasConflict = Rule(
    id: "PT401", name: "memory-type-alias-conflict", severity: .error,
    summary: "one page of memory is mapped with two memory types",
    needs: [.physicalAddresses, .directMapBase, .memoryMap],
    documentation: """
      What: a page of memory that one leaf of the kernel's half maps with another memory type than
      the direct map's 4K leaf of it: write-back here, uncached or write-combining there.
      Why: the processor does not keep the two coherent: writes are lost or come late.
      How Linux should look: change_page_attr() gives all mappings of a page one type.
      False alarm: devices' registers and firmware's reserved memory, which the direct map has not or
      whose type the MTRRs decide: the rule looks at System RAM above 1 MiB only. A write-combining
      alias is a note: i915 makes such by vmap() on purpose, and its hardware snoops. Where the direct
      map has one large page, PT303 speaks.
      Fix: set_memory_uc(), _wc() or _wb() instead of a mapping with a protection of its own.
      References:
      - Documentation/arch/x86/pat.rst, Linux 6.12
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: cpa_process_alias
      - drivers/gpu/drm/i915/gem/i915_gem_pages.c, Linux 6.12: i915_gem_object_map_page
      """
  ) { rule, subject in
    conflictingAliases(subject).flatMap { table, conflicts in
      findAliases(
        rule, subject, table, conflicts.filter { $0.direct.level == 1 }.map(\.alias),
        "mapped with another memory type than in the direct map",
        help: "change the type of all mappings by set_memory_uc(), _wc() or _wb()")
    }
  }

  /// A leaf outside the direct map, and the direct map's of the same frame, where memory types differ.
  struct AliasConflict {
    let alias: Run
    let direct: Run
  }

  static func conflictingAliases(_ subject: Subject) -> [(Table, [AliasConflict])] {
    guard let base = subject.facts.directMap?.value else { return [] }
    let ram = subject.ram
    let lowest: UInt64 = 1 << 20
    return subject.tables.map { table in
      var found: [AliasConflict] = []
      for run in table.space.runs
      where run.isLeaf && run.start >= table.space.mode.upperHalf {
        let kind = table.layout.area(of: run.start).kind
        guard kind != .directMap, kind != .espfix, let physical = run.physical,
          physical >= lowest, ram.gaps(in: physical...physical).isEmpty
        else { continue }
        let type = MemoryType(run)
        for direct in subject.kernel.directMapAliases(of: run, base: base)
        where MemoryType(direct) != type {
          found.append(AliasConflict(alias: run, direct: direct))
        }
      }
      return (table, found)
    }
  }

  static func findAliases(
    _ rule: Rule, _ subject: Subject, _ table: Table, _ aliases: [Run], _ what: String,
    help: String
  ) -> [Finding] {
    var runs: [Run] = []
    for alias in aliases where runs.last?.start != alias.start { runs.append(alias) }
    return grouped(runs, table).map { area, runs in
      var lines = evidence(runs, subject, table)
      if let first = runs.first, let physical = first.physical,
        let base = subject.facts.directMap?.value,
        let direct = subject.kernel.space.run(at: base &+ physical)
      {
        let mode = table.space.mode
        lines.insert(
          "\(mode.text(first.start)) is \(MemoryType(first).rawValue), "
            + "\(mode.text(base &+ physical)) \(MemoryType(direct).rawValue), both of \(physical.entry)",
          at: 0)
      }
      // Write-combining beside write-back: a driver's doing, and known to work.
      let isCombining = runs.allSatisfy { MemoryType($0) == .writeCombining }
      return Finding(
        rule, severity: isCombining ? .note : nil, "\(total(runs)) \(what)", in: table, runs: runs,
        area: area, evidence: lines,
        help: help)
    }
  }
}
