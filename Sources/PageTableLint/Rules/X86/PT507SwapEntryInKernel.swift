extension Rule {
  /// Swap entries where no page is ever swapped.
  static let swapEntryInKernel = Rule(
    id: "PT507", name: "swap-entry-in-kernel", severity: .error,
    summary: "a swap entry in the kernel's half",
    serves: .x86, needs: [.physicalAddresses, .invertedFrames],
    documentation: """
      What: an entry of the kernel's half in the form of a swap or migration entry. It is not
      present, and its low bits are clear. It has a type in bits 59 to 63 and the inverted offset
      below them.
      Why: kernel memory is neither swapped nor migrated by its page tables. A user's table page was
      written to a kernel's, or a table page is used twice.
      How Linux should look: none.
      False alarm: a stray value of that form; it is corruption all the same. Kernels before 4.19
      have another form: the rule is skipped.
      Fix: see who owns the table page: ptdump-lint walk names it.
      References:
      - arch/x86/include/asm/pgtable_64.h, Linux 6.12: __swp_entry
      """
  ) { rule, subject in
    findRemnants(
      rule, subject, where: { $0 == .swap }, "in the form of swap entries",
      help: "see whose table page it is: kernel memory is never swapped")
  }
}
