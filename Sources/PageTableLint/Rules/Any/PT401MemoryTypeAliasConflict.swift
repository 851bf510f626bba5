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
      the direct map's 4K leaf of it. It is write-back here, uncached or write-combining there.
      Why: the processor does not keep the two coherent: writes are lost or come late.
      How Linux should look: change_page_attr() gives all mappings of a page one type.
      False alarm: devices' registers and firmware's reserved memory, which the direct map does not
      have or whose type the MTRRs decide. The rule looks at System RAM above 1 MiB only. A
      write-combining alias is a note: i915 makes such by vmap() on purpose, and its hardware
      snoops. Where the direct map has one large page, PT303 reports it.
      Fix: set_memory_uc(), _wc() or _wb() instead of a mapping with a protection of its own.
      References:
      - Documentation/arch/x86/pat.rst, Linux 6.12
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: cpa_process_alias
      - drivers/gpu/drm/i915/gem/i915_gem_pages.c, Linux 6.12: i915_gem_object_map_page
      """, comparesParts: true, givesWayTo: ["PT405", "PT501", "PT609"]
  ) { rule, subject in
    conflictingAliases(subject).flatMap { table, conflicts in
      findAliases(
        rule, subject, table, conflicts.filter(\.withPage).map(\.alias),
        "mapped with another memory type than in the direct map",
        help: "change the type of all mappings by set_memory_uc(), _wc() or _wb()")
    }
  }
}
