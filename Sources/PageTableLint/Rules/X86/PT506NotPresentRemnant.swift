extension Rule {
  /// Entries that are not present, and nothing that Linux leaves.
  static let notPresentRemnant = Rule(
    id: "PT506", name: "not-present-remnant", severity: .warning,
    summary: "an entry is neither present, nor empty, nor what Linux leaves",
    serves: .x86, needs: [.physicalAddresses, .invertedFrames],
    documentation: """
      What: an entry of the kernel's half whose present bit is clear, and which is not zero. It is
      neither a page that change_page_attr() took away nor a placeholder.
      Why: something else wrote it. Its value is a hint: text, a pointer, a bit that flipped.
      How Linux should look: a page that set_memory_np() took away keeps its accessed bit and holds
      its frame inverted; placeholders of the cpu entry area are PAGE_NONE.
      False alarm: entries whose frame is memory as it stands are PT106's, those marked PROT_NONE
      PT206's, swap entries PT507's. Kernels before 4.19 do not invert: the rule is skipped.
      Fix: see what overwrote the table.
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: __change_page_attr
      - arch/x86/mm/cpu_entry_area.c, Linux 6.12: cea_map_percpu_pages
      """
  ) { rule, subject in
    findRemnants(
      rule, subject, where: { $0 == .unknown }, "not present, not empty, and nothing Linux leaves",
      help: "see what overwrote the entry")
  }
}
