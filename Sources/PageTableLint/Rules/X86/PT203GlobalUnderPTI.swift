internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Global leaves of secrets under page-table isolation.
  static let globalUnderPTI = Rule(
    id: "PT203", name: "global-under-pti", severity: .error,
    summary: "kernel data stays in the TLB across PTI's switch", serves: .x86,
    needs: [.ptiOn, .globalPages],
    documentation: """
      What: global leaves in the direct map, vmalloc, vmemmap or modules while PTI is on.
      Why: they survive the switch of CR3, so that a program can find the kernel's secrets through
      the TLB. PTI is to prevent just that (Meltdown). In 2022 the 1G pages of the direct map turned
      out to be so: their protection had not been masked.
      How Linux should look: G only in the cpu entry area, ESPfix, and those parts of the kernel
      image that user mode needs or may know.
      False alarm: without PCID and with pti=auto the image from _text to the end of rodata is made
      global. So is its read-only alias in the direct map. The rule leaves both out. On 32 bits the
      image lies inside the direct map. A text dump does not show where, so there the rule leaves
      the direct map out. After a CPA self-test that clears G and sets it again, the 4K pages that
      it tested keep it. That is a note, since the test did it and not the kernel. Without a log
      nothing tells whether such a test ran: scattered 4K pages of the direct map are then a note
      that names both causes. Larger pages are an error with and without a log.
      Fix: mask the protection with __default_kernel_pte_mask, as PAGE_KERNEL does.
      References:
      - arch/x86/mm/pti.c, Linux 6.12: pti_init
      - arch/x86/mm/init.c, Linux 6.12: probe_page_size_mask
      - "x86/mm: Use proper mask when setting PUD mapping", 2022
      """, comparesParts: true
  ) { rule, subject in
    let kinds: [Area.Kind] = [.directMap, .vmalloc, .vmemmap, .modules]
    return kinds.compactMap { kind -> Finding? in
      let table = subject.kernel
      let imageIsHidden = kind == .directMap && table.layout.first(.image) == nil
      guard let area = table.layout.first(kind), !imageIsHidden else { return nil }
      let mode = table.space.mode
      let aliases = imageAliases(subject)
      let bad = table.runs(area.kind).filter {
        $0.isLeaf && $0.flags & mode.global != 0
          && !(kind == .directMap && !$0.access.isWritable && aliases($0))
      }
      guard !bad.isEmpty else { return nil }
      let cause = cause(of: bad, in: area, subject)
      return Finding(
        rule, severity: cause == .kernel ? nil : .note,
        total(bad) + " " + message(cause, area), in: table, runs: bad, area: area,
        evidence: [.fact("PTI is on", source: subject.facts.pti?.source ?? "")]
          + evidence(bad, subject, table),
        help: help(cause))
    }
  }

  /// Who set G in leaves that should not have it.
  private enum Cause { case kernel, selfTest, unknown }

  /// The self-test changes single 4K pages of the direct map, at random places.
  ///
  /// Source: `pageattr_test`, arch/x86/mm/pat/cpa-test.c, 6.12.
  private static func cause(of bad: [Run], in area: Area, _ subject: Subject) -> Cause {
    guard area.kind == .directMap, bad.allSatisfy({ $0.level == 1 }) else { return .kernel }
    if subject.globalTestRan { return .selfTest }
    let isScattered = bad.count > 1 && bad.allSatisfy { $0.pages < 512 }
    return isScattered && subject.log == nil ? .unknown : .kernel
  }

  private static func message(_ cause: Cause, _ area: Area) -> String {
    switch cause {
    case .kernel: "of \(area.name) global under PTI"
    case .selfTest: "global in the direct map: what the self-test's revert left behind"
    case .unknown:
      "global in scattered 4K pages of the direct map: a CPA self-test's revert, or a kernel that "
        + "does not mask G; without a log nothing tells"
    }
  }

  private static func help(_ cause: Cause) -> String {
    switch cause {
    case .kernel: "mask the protection with __default_kernel_pte_mask"
    case .selfTest: "nothing: the test set the bit, not the kernel"
    case .unknown:
      "give the kernel log with --log: a CPA self-test in it that changes G left them; if none ran, "
        + "mask the protection with __default_kernel_pte_mask"
    }
  }

  /// Whether a read-only leaf of the direct map is an alias of the image.
  ///
  /// A text dump shows no frames: there the image itself must be global to that extent.
  /// Source: `pti_clone_kernel_text`, arch/x86/mm/pti.c, 6.12.
  private static func imageAliases(_ subject: Subject) -> (Run) -> Bool {
    if let frames = subject.image?.imageFrames {
      return { run in
        run.physical.map { frames.contains($0) && frames.contains($0 &+ run.size &- 1) } ?? false
      }
    }
    let table = subject.kernel
    let mode = table.space.mode
    let inImage = table.runs(.image).filter {
      $0.isLeaf && $0.flags & mode.global != 0
    }.reduce(UInt64(0)) { $0 &+ $1.size }
    return { $0.size <= inImage }
  }
}
