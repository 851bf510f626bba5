extension Rule {
  /// Entries that are not present and whose frame a processor may still read through.
  static let l1tfVulnerableEntry = Rule(
    id: "PT106", name: "l1tf-vulnerable-entry", severity: .warning,
    summary: "an entry that is not present shows a frame of memory",
    serves: .x86, needs: [.physicalAddresses, .invertedFrames],
    documentation: """
      What: an entry of the kernel's half whose present bit is clear and whose address bits, as they
      stand, name memory of the machine.
      Why: processors with the L1 terminal fault (CVE-2018-3620) forward what the first-level cache
      holds of that frame, present or not.
      How Linux should look: since 4.19 such entries hold their frame inverted, which no memory has.
      False alarm: processors without the fault; what is wrong then is only that something else than
      Linux's own functions wrote the entry. Kernels before 4.19, and 32-bit ones without PAE, never
      invert: the rule is skipped.
      Fix: make entries by pfn_pte() and set_pte(), which invert.
      References:
      - arch/x86/include/asm/pgtable-invert.h, Linux 6.12
      - 6b28baca9b1f (4.19)
      """
  ) { rule, subject in
    findRemnants(
      rule, subject, where: { $0 == .plainFrame },
      "not present, and their frames are memory as they stand",
      help: "see who wrote the entry: Linux stores such a frame inverted")
  }
}
