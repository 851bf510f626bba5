internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Frames that a Xen PV guest and Xen know by different numbers.
  static let frameListsDisagree = Rule(
    id: "PT610", name: "frame-lists-disagree", severity: .error,
    summary: "a Xen PV guest's list of its frames and Xen's disagree", serves: .x86_64,
    needs: [.xenGuest, .bothFrameLists, .directMapBase],
    documentation: """
      What: a frame of the guest's list (p2m) that Xen's list of the machine's frames (M2P) gives
      another number. What `xl dump-core` writes has no such list: there the file's own, which Xen's
      tools make of it, stands for it.
      Why: the guest finds a page's frame by the one list and a frame's page by the other, whenever
      it reads or writes a table. Where the two disagree, an entry that it reads back is of another
      page, and what it writes there goes astray.
      How Linux should look: each frame that the guest lists has in Xen's list the number by which
      the guest lists it. Pages that another domain lends are marked, and left out.
      False alarm: an image that was taken while the guest gave memory back or took some (balloon).
      Fix: a driver that changed the list without Xen, or a bit that flipped.
      References:
      - arch/x86/xen/p2m.c, Linux 6.12: set_phys_to_machine, set_foreign_p2m_mapping
      - arch/x86/include/asm/xen/page.h, Linux 6.12: mfn_to_pfn
      """, comparesParts: true
  ) { rule, subject in
    guard let base = subject.facts.directMap?.value,
      let found = subject.looking(at: subject.image?.guest?.disagreements(most: 1000)),
      let first = found.first.first
    else { return [] }
    let table = subject.kernel
    let size = table.space.mode.granule
    var runs: [Run] = []
    for frame in found.first {
      let start = base &+ frame.own
      Run.append(
        Run(start: start, last: start &+ (size - 1), kind: .leaf, level: 1), to: &runs,
        mode: table.space.mode)
    }
    let listed = first.listed.map { "frame \($0.entry)" } ?? "none"
    return [
      Finding(
        rule, "\(found.count) frames have other numbers in the guest's list than in Xen's",
        in: table,
        runs: runs, area: table.layout.area(of: runs[0].start),
        evidence: [
          .words(
            found.isGuests
              ? "the guest's page at \(first.own.entry) is the machine's at \(first.machine.entry); the "
                + "guest lists \(listed) of the machine's"
              : "the guest lists the machine's page at \(first.machine.entry) as its own at "
                + "\(first.own.entry); Xen lists \(listed) of a guest's there")
        ], help: "see what changed the guest's list, or Xen's")
    ]
  }
}
