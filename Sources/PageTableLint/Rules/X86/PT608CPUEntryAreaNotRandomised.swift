internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Entry stacks at addresses that everybody can compute.
  static let cpuEntryAreaNotRandomised = Rule(
    id: "PT608", name: "cpu-entry-area-not-randomised", severity: .note,
    summary: "the processors' entry areas lie at known addresses", serves: .x86_64,
    needs: [.kaslrOffset, .kaslrOn, .release(6, 2), .area(.cpuEntryArea)],
    documentation: """
      What: KASLR is on, the kernel is 6.2 or later, and yet a processor's entry area lies directly
      after the IDT's page. Without randomisation the first one lies there. 64 bits only.
      Why: the exception stacks are writable memory at an address that a program knows, which
      exploits have used to place their data (CVE-2023-0597).
      How Linux should look: each processor's area lies at a random place of the 512 GiB.
      False alarm: chance puts an area there one time in two million. Older kernels have theirs in
      order: the rule is silent there, without a known release, and where KASLR is off.
      Fix: see init_cea_offsets().
      References:
      - arch/x86/mm/cpu_entry_area.c, Linux 6.12: init_cea_offsets, get_cpu_entry_area
      - 97e3d26b5e5f (6.2): randomises the per-cpu entry areas
      """, comparesParts: true
  ) { rule, subject in
    let table = subject.kernel
    guard let area = table.layout.first(.cpuEntryArea),
      // An area starts with its processor's GDT.
      let gdt = table.run(at: area.start &+ 4096), gdt.isLeaf,
      let first = table.runs(from: area.start &+ 4096, through: area.start &+ 8191).first
    else { return [] }
    return [
      Finding(
        rule, "a processor's entry area lies directly behind the IDT: nothing was randomised",
        in: table, runs: [first], area: area, evidence: evidence([first], subject, table),
        help: "see init_cea_offsets, arch/x86/mm/cpu_entry_area.c")
    ]
  }
}
