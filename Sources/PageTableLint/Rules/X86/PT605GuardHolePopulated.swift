internal import MemoryImages
internal import PageTables

extension Rule {
  /// Entries where only a hypervisor may have some.
  static let guardHolePopulated = Rule(
    id: "PT605", name: "guard-hole-populated", severity: .warning,
    summary: "the hole below the direct map is in use", serves: .x86_64, needs: [.guardHole],
    documentation: """
      What: a leaf or a table in the first 16 slots of the kernel half's top table (256 to 271).
      Why: the kernel never puts anything there, so somebody else did, or an entry went astray.
      How Linux should look: empty: the hole is kept free for a hypervisor.
      False alarm: Xen PV, whose hypervisor lives there: the rule is skipped where Xen is known, by
      --assume or by the log. Kernels before 2.6.27, which had their direct map there. The kernel's
      text dumps pass over the hole since 5.6, so that they show nothing of it.
      Fix: see what the table there holds, and who wrote the entry.
      References:
      - Documentation/arch/x86/x86_64/mm.rst, Linux 6.12
      - mm/ptdump.c, arch/x86/mm/dump_pagetables.c, Linux 6.12: GUARD_HOLE_END_ADDR
      """
  ) { rule, subject in
    subject.tables.compactMap { table -> Finding? in
      let mode = table.space.mode
      let last = mode.upperHalf &+ (16 &* mode.root.span &- 1)
      // A hole of less than a whole slot lies in a table; in a text its level is that of the line before,
      // since the dumper passes over the guard hole.
      let bad = table.runs(from: mode.upperHalf, through: last).filter {
        $0.isLeaf
          || table.space.hasPhysical
            && ($0.kind == .notPresent || Int($0.level) < mode.root.number)
      }
      guard !bad.isEmpty else { return nil }
      let mapped = bad.filter(\.isLeaf)
      return Finding(
        rule,
        mapped.isEmpty
          ? "a table without a mapping in the guard hole"
          : "\(total(mapped)) mapped in the guard hole",
        in: table, runs: mapped.isEmpty ? bad : mapped,
        evidence: evidence(mapped.isEmpty ? bad : mapped, subject, table),
        help: "see which code wrote the top table's entry")
    }
  }
}
