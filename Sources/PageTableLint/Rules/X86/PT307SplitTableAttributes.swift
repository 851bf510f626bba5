internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Table pointers that forbid what their leaves allow.
  static let splitTableAttributes = Rule(
    id: "PT307", name: "split-table-attributes", severity: .error,
    summary: "a table pointer has attributes that Linux never gives one",
    serves: .x86,
    needs: [
      .physicalAddresses, .notXen("its page tables are read-only"), .noReleaseBefore(2, 6, 29),
    ],
    documentation: """
      What: an entry of the kernel's half that leads to a table and is read-only, no-execute, or has
      cache bits (PWT, PCD).
      Why: an upper entry's restriction binds all below it, whatever the leaves say; a text dump of
      the leaves looks right and the pages fault. change_page_attr() looks at leaves only and cannot
      fix it: it once gave the table of a split the protection of the large page.
      How Linux should look: _KERNPG_TABLE (0x063) or _PAGE_TABLE (0x067), with the encryption bit.
      False alarm: the ESPfix area, whose tables are read-only and no-execute by design. The four
      top entries of PAE, which have neither bit. Xen PV: the rule is silent where Xen is known.
      Fix: make table pointers of _KERNPG_TABLE, and put restrictions into leaves.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: __split_large_page
      - arch/x86/kernel/espfix_64.c, Linux 6.12: ESPFIX_PGTABLE_PROT
      - 07a66d7c53a5 (2.6.29): before it the pointer cloned the page's protection
      """, comparesParts: true
  ) { rule, subject in
    pointers(
      rule, subject, "restricts all below it",
      help: "the pointer should be _KERNPG_TABLE: see who wrote it"
    ) { pointer, mode in
      // In PAE's top table the bits are reserved.
      if mode.isPAE, pointer.level == mode.levels.count { return false }
      let cacheBits: UInt64 = 1 << 3 | 1 << 4
      return pointer.entry & mode.write == 0
        || pointer.entry & (mode.noExecute | cacheBits) != 0
    } where: { pointer, table in
      table.layout.area(of: pointer.address).kind != .espfix
    }
  }
}
