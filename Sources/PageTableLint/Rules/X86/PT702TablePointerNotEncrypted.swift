internal import PageTables

extension Rule {
  /// Table pointers without the encryption bit on a machine whose tables are encrypted.
  static let tablePointerNotEncrypted = Rule(
    id: "PT702", name: "table-pointer-not-encrypted", severity: .warning,
    summary: "a table pointer lacks the encryption bit", serves: .x86,
    needs: [.physicalAddresses, .encryption],
    documentation: """
      What: an entry of the kernel's half that leads to a table without the encryption bit, where
      the kernel's memory is encrypted (AMD's SME).
      Why: the processor reads the table as it lies in memory. If the kernel wrote it encrypted
      these are no entries; if not, the table lies open.
      How Linux should look: _KERNPG_TABLE and _PAGE_TABLE hold the bit, and what was linked without
      it gets it when the kernel starts.
      False alarm: tables made before encryption was switched on, which the kernel has left since.
      Fix: see who made the pointer of _KERNPG_TABLE_NOENC.
      References:
      - arch/x86/include/asm/pgtable_types.h, Linux 6.12: _KERNPG_TABLE_NOENC
      - arch/x86/kernel/head64.c, Linux 6.12: __startup_64
      """, judgesTables: true
  ) { rule, subject in
    pointers(
      rule, subject, "without the encryption bit", help: "see who made the pointer without the bit"
    ) { pointer, mode in pointer.entry & mode.encryption == 0 }
  }
}
