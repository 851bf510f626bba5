internal import MemoryImages
internal import PageTables

extension Rule {
  /// A large page of the direct map whose frames another mapping needs otherwise.
  static let unshatteredAlias = Rule(
    id: "PT303", name: "unshattered-alias", severity: .error,
    summary: "a large page was not split though a part of it needs another memory type",
    needs: [.physicalAddresses, .directMapBase, .memoryMap],
    documentation: """
      What: a page of memory that one leaf of the kernel's half maps with another memory type than
      the direct map. In the direct map one large leaf covers it.
      Why: the two mappings are not coherent. change_page_attr() has to split the large page to
      change a part of it, and did not, or was not asked.
      How Linux should look: the part has 4K leaves of its own, with the type of the other mapping.
      False alarm: as for PT401: System RAM above 1 MiB only is looked at, and a write-combining
      alias is a note.
      Fix: see whether set_memory_uc() and its kin were called and what they returned.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: cpa_process_alias, __should_split_large_page
      """, comparesParts: true, givesWayTo: ["PT405", "PT501", "PT609"]
  ) { rule, subject in
    conflictingAliases(subject).flatMap { table, conflicts in
      findAliases(
        rule, subject, table, conflicts.filter(\.withLargePage).map(\.alias),
        "mapped with another memory type than a large page of the direct map",
        help: "see whether change_page_attr() was asked to change the large page, and failed")
    }
  }
}
