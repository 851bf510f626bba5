internal import KernelImages
internal import PageTables

extension Rule {
  /// A kernel page of a Xen PV guest's without the bits that Xen gives each.
  static let xenPageUnmarked = Rule(
    id: "PT208", name: "xen-page-unmarked", severity: .warning,
    summary: "a kernel page of a Xen PV guest lacks Xen's marks", serves: .x86_64,
    needs: [.physicalAddresses, .xenGuest],
    documentation: """
      What: a leaf of the kernel's half of a Xen PV guest that lacks US, by itself or by a table
      above it. Or one that lacks bit 52, or has G.
      Why: the guest's kernel runs in ring 3, and Xen sets US in each page that the guest maps. Bit
      52 says that the page is the kernel's, so that it is not in the user's tables, and G marks
      programs' pages alone. The kernel cannot touch a page without US. One with G, or without bit
      52, is taken for a program's page and stays in the TLB when the kernel is left.
      How Linux should look: each leaf of the kernel's half has US and bit 52, and none has G.
      False alarm: none is known. Xen's own areas are left out.
      Fix: the entry was written past Xen, or a bit flipped.
      References:
      - xen/arch/x86/mm.c, Xen 4.17: adjust_guest_l1e
      - xen/arch/x86/include/asm/x86_64/page.h, Xen 4.17: _PAGE_GUEST_KERNEL
      """
  ) { rule, subject in
    let mark: UInt64 = 1 << 52
    return subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let wanted = mode.user | mark
      let bad = table.runs.filter {
        $0.isLeaf && $0.start >= mode.upperHalf
          && ($0.flags & (wanted | mode.global) != wanted || !$0.access.isUser)
      }
      return grouped(bad, table).map { area, runs in
        Finding(
          rule, "\(total(runs)) of the kernel without the marks that Xen gives its pages",
          in: table,
          runs: runs, area: area,
          evidence: evidence(runs, subject, table)
            + [
              .words(
                "flags \(runs[0].flags.entry): bit 52 and USR are due, USR in the tables above, too, and no GLB"
              )
            ],
          help: "see who wrote the entry: Xen sets the marks itself")
      }
    }
  }
}
