internal import KernelImages
internal import PageTables

extension Rule {
  /// A part of the kernel's code that differs from the rest in the guard of branch targets.
  static let branchTargetGuardMixed = Rule(
    id: "PT112", name: "branch-target-guard-mixed", severity: .warning,
    summary: "a part of the kernel's code differs from the rest in GP (BTI)", serves: .arm64,
    needs: [.area(.image)],
    documentation: """
      What: executable leaves of the kernel image without GP where most of it has the bit, or with
      it where most of it has not.
      Why: with BTI an indirect branch into a guarded page must meet a landing pad. What lacks GP
      may be entered anywhere; what has it and no landing pads stops the kernel at the first call.
      How Linux should look: GP in all of the image's code with CONFIG_ARM64_BTI_KERNEL on a
      processor that has BTI, else in none.
      False alarm: none known. Modules and BPF programs, whose pages may be made by other means, are
      left out.
      Fix: see who mapped the page; map_kernel() chooses for the whole image.
      References:
      - arch/arm64/kernel/pi/map_kernel.c, Linux 6.12: map_kernel (PTE_GP)
      - arch/arm64/mm/mmu.c, Linux 6.1: map_kernel
      """, comparesParts: true
  ) { rule, subject in
    let guarded: UInt64 = 1 << 50
    let table = subject.kernel
    let code = table.runs(.image).filter { $0.isLeaf && $0.access.contains(.executeInKernel) }
    let with = code.filter { $0.flags & guarded != 0 }
    let without = code.filter { $0.flags & guarded == 0 }
    guard !with.isEmpty, !without.isEmpty else { return [] }
    func size(_ runs: [Run]) -> UInt64 { runs.reduce(0) { $0 &+ $1.size } }
    let isGuarded = size(with) > size(without)
    let runs = isGuarded ? without : with
    return [
      Finding(
        rule,
        "\(total(runs)) of the kernel's code \(isGuarded ? "without" : "with") GP, unlike the rest",
        in: table, runs: runs, evidence: evidence(runs, subject, table),
        help: isGuarded
          ? "set GP as in the rest of the code" : "clear GP as in the rest of the code")
    ]
  }
}
