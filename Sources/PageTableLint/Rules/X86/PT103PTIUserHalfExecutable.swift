internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Top entries of user memory that the kernel could execute under PTI.
  static let ptiUserHalfExecutable = Rule(
    id: "PT103", name: "pti-user-half-executable", severity: .error,
    summary: "user memory can be executed with the kernel's tables under PTI",
    serves: .x86_64, needs: [.physicalAddresses, .ptiOn, .noExecute, .userHalf],
    documentation: """
      What: a user entry of the top table that the kernel uses for a process, without NX, while PTI
      is on.
      Why: PTI makes user memory no-execute in the kernel's own tables, so that a return to user
      mode with the wrong table faults at once. An entry without it was not written by Linux's
      functions, and the user's table may lack it.
      How Linux should look: each user entry of that table has NX.
      False alarm: entries for EFI or an identity map, which are no user entries or marked
      _PAGE_NOPTISHADOW (bit 58): left out.
      Fix: set_pgd() and set_p4d() do it; see who wrote the entry.
      References:
      - arch/x86/mm/pti.c, Linux 6.12: __pti_set_user_pgtbl
      """
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      // The second of a pair is the user's, where programs run; PAE's top entries have no NX.
      guard let root = table.root, subject.isKernelsOwn(root) else { return [] }
      let noShadow: UInt64 = 1 << 58
      let bad = table.pointers.filter {
        $0.level == mode.levels.count && $0.address < mode.upperHalf
          && $0.entry & mode.user != 0 && $0.entry & (mode.noExecute | noShadow) == 0
      }
      guard let first = bad.first else { return [] }
      return [
        Finding(
          rule,
          bad.count == 1
            ? "a user entry of the top table lacks NX"
            : "\(bad.count) user entries of the top table lack NX", in: table,
          runs: bad.map { run($0, mode) }, entry: first.entry,
          evidence: [
            .entry(
              Evidence.Entry(
                address: first.address, level: mode.root.name, value: first.entry)),
            .fact("PTI is on", source: subject.facts.pti?.source ?? ""),
          ], help: "see who wrote the entry: set_pgd() and set_p4d() add NX")
      ]
    }
  }
}
