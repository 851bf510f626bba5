internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Table pointers that forbid what Linux never forbids there.
  static let tablePointerTakesRights = Rule(
    id: "PT311", name: "table-pointer-takes-rights", severity: .error,
    summary: "a table pointer forbids what Linux allows below it", serves: .arm64,
    needs: [.physicalAddresses],
    documentation: """
      What: a table pointer of the kernel's half with an APTable bit (61: nothing for user mode; 62:
      nothing may be written). Or one with PXNTable (59) above a leaf that is executable by its own
      bits.
      Why: an upper entry's restriction binds all below it, whatever the leaves say. A text dump of
      the leaves looks right, and the kernel faults there.
      How Linux should look: no APTable bit anywhere. PXNTable and UXNTable over the direct map and
      vmemmap, UXNTable alone over what has code, and neither in the fixmap's early tables.
      False alarm: none known.
      Fix: see who wrote the entry: PMD_TYPE_TABLE and its kin have no APTable bit.
      References:
      - arch/arm64/include/asm/pgtable-hwdef.h, Linux 6.12: PUD_TABLE_PXN, PMD_TABLE_UXN
      - arch/arm64/mm/mmu.c, Linux 6.12: alloc_init_cont_pte (NO_EXEC_MAPPINGS)
      - Arm ARM, D8.4.2: hierarchical control of permissions
      """, comparesParts: true
  ) { rule, subject in
    pointers(
      rule, subject, "forbids what its leaves allow",
      help: "see who wrote the entry; Linux sets no such bit in a table pointer there"
    ) { pointer, _ in
      pointer.entry & (3 << 61 | 1 << 59) != 0
    } where: { pointer, table in
      if pointer.entry & 3 << 61 != 0 { return true }
      // Over those areas it is the kernel's own, and a leaf that lacks PXN there changes nothing.
      let area = table.layout.area(of: pointer.address).kind
      guard area != .directMap, area != .vmemmap else { return false }
      return table.runs(from: pointer.address, through: pointer.last).contains {
        $0.isLeaf && $0.flags & 1 << 53 == 0
      }
    }
  }
}
