internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// What the kernel gave back of its image, still mapped as it was.
  static let initMemoryLeftMapped = Rule(
    id: "PT006", name: "init-memory-left-mapped", severity: .warning,
    summary: "init's freed memory is still mapped by the image",
    needs: [.sections(("__init_begin", "__init_end")), .settledImage, .initProtection],
    documentation: """
      What: a leaf between __init_begin and __init_end, after init's memory was freed, that is
      executable and read-only. On 64 bits under page-table isolation any leaf there counts.
      Why: the pages belong to somebody else by now. Executable, they are code of anybody's making.
      Under isolation the image may be mapped for user mode too, and what lies in the freed pages
      with it.
      How Linux should look: free_initmem() makes them writable and NX, and under isolation takes
      them out of the image's mapping; the direct map keeps them.
      False alarm: what is writable and executable is PT001's. Before 4.19 isolation left the pages
      in place: there, and where the release is not known, only executable ones count. The kernel
      frees init before it protects its image, so that the rule is skipped where the image is not
      protected yet.
      Fix: free_kernel_image_pages() is what should have run on them.
      References:
      - arch/x86/mm/init.c, Linux 6.12: free_initmem, free_kernel_image_pages
      - init/main.c, Linux 6.12: kernel_init
      - c40a56a7818c (4.19): freed image areas are no longer mapped under isolation
      """
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let section = subject.section("__init_begin", "__init_end") else { return [] }
    let hasNX = subject.facts.nx?.value == true
    let mustBeGone = subject.initMemoryMustBeGone
    let bad = table.runs(from: section.lowerBound, through: section.upperBound).filter {
      $0.isLeaf && !(hasNX && $0.isWritableExecutable)
        && (mustBeGone || (hasNX && $0.isReadOnlyExecutable))
    }
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule,
        "\(total(bad)) of init's freed memory "
          + (mustBeGone ? "still mapped by the image under PTI" : "executable"),
        in: table, runs: bad, evidence: evidence(bad, subject, table),
        help: "free it with free_kernel_image_pages(), which changes the mapping too")
    ]
  }
}

extension Subject {
  /// Whether the kernel takes init's freed pages out of the image's mapping: under isolation.
  ///
  /// Source: c40a56a7818c (4.19).
  var initMemoryMustBeGone: Bool {
    !imageLiesInDirectMap && facts.pti?.value == true && facts.isAtLeast(4, 19) == true
  }
}
