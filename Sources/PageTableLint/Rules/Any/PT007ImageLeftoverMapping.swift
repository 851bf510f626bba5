internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// What the boot's mapping of the image left around it.
  static let imageLeftoverMapping = Rule(
    id: "PT007", name: "image-leftover-mapping", severity: .warning,
    summary: "memory around the kernel image is mapped as if it belonged to it",
    serves: .all64,
    needs: [
      .symbols("_text", "_end"), .settledImage, .imageInItsSpace,
      .ownFrames,
    ],
    documentation: """
      What: a leaf of the kernel image's area below _text, or after the 2M page of _end; 64 bits.
      Why: it is a second mapping of memory that belongs to others. Often that is reserved memory
      that a processor must not touch even by speculation; on UV machines that halted the machine.
      How Linux should look: the boot maps the whole area by 2M pages, and cleanup_highmap() clears
      all but the image.
      False alarm: Xen PV (the rule is silent where Xen is known). What is writable and executable
      is PT001's. Before the image is protected the rule is skipped: cleanup_highmap() runs earlier
      than that, but a dump may be earlier still.
      Fix: clear the entries: see why cleanup_highmap() did not, or who made them later.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: cleanup_highmap
      - 2aa85f246c18 (5.4): speculation into reserved memory through such entries
      """
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let space = subject.imageSpace, let image = subject.imageMapping else {
      return []
    }
    let hasNX = subject.facts.nx?.value == true
    var around: [Run] = []
    if space.lowerBound < image.lowerBound {
      around += table.runs(from: space.lowerBound, through: image.lowerBound - 1)
    }
    if image.upperBound < space.upperBound {
      around += table.runs(from: image.upperBound + 1, through: space.upperBound)
    }
    let bad = around.filter { $0.isLeaf && !(hasNX && $0.isWritableExecutable) }
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) around the kernel image still mapped", in: table, runs: bad,
        evidence: [
          "the image lies at \(mode.text(image.lowerBound))-\(mode.text(image.upperBound &+ 1))"
        ] + evidence(bad, subject, table), help: "clear the entries, as cleanup_highmap() does")
    ]
  }
}
