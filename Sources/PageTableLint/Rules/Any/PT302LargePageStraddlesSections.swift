internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// A large page of the image over two sections that need different protections.
  static let largePageStraddlesSections = Rule(
    id: "PT302", name: "large-page-straddles-sections", severity: .error,
    summary: "one large page protects two sections of the image alike",
    needs: [
      .sections(("_text", "_etext"), ("__start_rodata", "__end_rodata")), .settledImage,
      .noReleaseBefore(4, 3),
    ],
    documentation: """
      What: a 2M or 1G leaf of the kernel image that holds both sides of _etext, __start_rodata or
      __end_rodata. Its protection is wrong for one side: text NX, what follows it executable,
      rodata writable, data read-only.
      Why: the protection of one section was spread over another one, or was not applied at all.
      How Linux should look: change_page_attr splits such pages; on 64 bits most sections start at
      2M in any case.
      False alarm: what lies after _end, up to the end of its 2M page, is mapped as data by
      intention, and is no section. A page that is fit for both sides is no finding, nor is one
      from before mark_rodata_ro(), where the rule is skipped. Text that is writable is PT008's,
      what is writable and executable PT001's.
      Fix: see why the page was not split (__should_split_large_page), or who joined it again.
      References:
      - arch/x86/mm/init_64.c, Linux 6.12: mark_rodata_ro
      - arch/x86/kernel/vmlinux.lds.S, Linux 6.12: X86_ALIGN_RODATA_BEGIN
      """
  ) { rule, subject in
    let table = subject.kernel
    let bad = straddlingLeaves(subject)
    guard !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) of large pages reach over two sections of the image", in: table,
        runs: bad, evidence: evidence(bad, subject, table),
        help: "split the page: set_memory_4k(), then protect each side")
    ]
  }

  /// The large leaves over a boundary of sections that are wrong for one side.
  static func straddlingLeaves(_ subject: Subject) -> [Run] {
    let table = subject.kernel
    let mode = table.space.mode
    let hasNX = subject.facts.nx?.value == true
    guard let text = subject.section("_text", "_etext"),
      let rodata = subject.section("__start_rodata", "__end_rodata")
    else { return [] }
    let data = subject.section("_sdata", "_edata")
    func isWrong(_ leaf: Run) -> Bool {
      let addresses = leaf.start...leaf.last
      let isWritable = leaf.access.isWritable
      let isNX = !leaf.access.isExecutable
      let holdsText = addresses.overlaps(text)
      if isWritable, holdsText || (hasNX && !isNX) { return false }
      return (hasNX && isNX && holdsText)
        || (hasNX && !isNX && holdsText && leaf.last > text.upperBound)
        || (isWritable && addresses.overlaps(rodata))
        || (!isWritable && data?.overlaps(addresses) == true)
    }
    let boundaries = Set([text.upperBound + 1, rodata.lowerBound, rodata.upperBound + 1])
    var found: [Run] = []
    for boundary in boundaries.sorted() {
      guard let run = table.run(at: boundary), run.isLeaf, run.level > 1 else { continue }
      let span = mode.span(of: run)
      let start = boundary & ~(span - 1)
      if start < boundary, found.last?.start != start,
        let leaf = run.clipped(from: start, through: start + (span - 1), span: span),
        isWrong(leaf)
      {
        found.append(leaf)
      }
    }
    return found
  }
}
