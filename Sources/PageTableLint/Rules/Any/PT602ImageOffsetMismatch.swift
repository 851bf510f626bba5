internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Leaves of the kernel image that lead elsewhere than their neighbours.
  static let imageOffsetMismatch = Rule(
    id: "PT602", name: "image-offset-mismatch", severity: .error,
    summary: "part of the kernel image is mapped to other memory",
    serves: .all64,
    needs: [.physicalAddresses, .physBase, .area(.image), .ownFrames],
    documentation: """
      What: a leaf of the kernel image whose physical address is not its offset in the image plus
      phys_base; 64 bits.
      Why: the kernel runs or reads something else there than what was loaded, and __pa_symbol()
      disagrees with the tables.
      How Linux should look: one offset for the whole image, phys_base, from the boot on.
      False alarm: Xen PV guests, whose frames are the machine's (the rule is silent where Xen is
      known). What lies around the image is PT007's.
      Fix: memory corruption, or somebody replaced a page of the kernel.
      References:
      - arch/x86/include/asm/page_64.h, Linux 6.12: __phys_addr_nodebug
      """, givesWayTo: ["PT501"]
  ) { rule, subject in
    let table = subject.kernel
    guard let base = subject.facts.physBase, let space = subject.imageSpace ?? subject.imageMapping
    else { return [] }
    let image = (subject.imageMapping ?? space).clamped(to: space)
    let bad = table.runs(from: image.lowerBound, through: image.upperBound).filter { run in
      guard run.isLeaf, let physical = run.physical else { return false }
      return physical != run.start &- space.lowerBound &+ base.value
        || (run.repeats && run.size > table.space.mode.granule)
    }
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) of the kernel image lead elsewhere", in: table, runs: bad,
        evidence: [.fact("phys_base is \(base.value.entry)", source: base.source)]
          + evidence(bad, subject, table),
        help: "memory corruption, or a replaced page of the kernel")
    ]
  }
}
