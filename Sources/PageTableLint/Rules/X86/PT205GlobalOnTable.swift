internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Table pointers with the global bit.
  static let globalOnTable = Rule(
    id: "PT205", name: "global-on-table", severity: .warning,
    summary: "a table pointer has the global bit", serves: .x86, needs: [.physicalAddresses],
    documentation: """
      What: an entry of the kernel's half that leads to a table and has bit 8 set.
      Why: processors ignore the bit there, so that nothing is global that was to be. Code that
      copies the bits of a large page into a table pointer, when it splits the page, leaves it
      there. It is a sign of a wrong split, or of a bit that flipped.
      How Linux should look: clear. __split_large_page() makes pointers of _KERNPG_TABLE.
      False alarm: with PTI on the kernel sets the bit in each entry of the pmd level that it clones
      for user mode, table or page. Those of the kernel image and of the cpu entry area are left out
      then.
      Fix: make table pointers of _KERNPG_TABLE or _PAGE_TABLE alone.
      References:
      - arch/x86/mm/pti.c, Linux 6.12: pti_clone_pgtable
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: __split_large_page
      """, judgesTables: true
  ) { rule, subject in
    pointers(
      rule, subject, "with the global bit", help: "see who wrote the pointer",
      having: { pointer, mode in pointer.entry & mode.global != 0 }
    ) { pointer, table in
      let isCloned =
        pointer.level == 2
        && [.image, .cpuEntryArea].contains { table.layout.mayBe($0, at: pointer.address) }
      return subject.facts.pti?.value == false || !isCloned
    }
  }
}
