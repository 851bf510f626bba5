package import KernelText
package import PageTables

extension X86 {
  /// In an order in which each source finds the facts that it needs.
  package var factSources: [FactSource] {
    [
      .of(.root) { evidence, _ in Fact(evidence.root.address, evidence.root.source) },
      .of(
        .release, { evidence, _ in evidence.note { $0["OSRELEASE"] } },
        { evidence, _ in evidence.banner }),
      .of(.kaslrOffset) { evidence, _ in evidence.note { $0.hex("KERNELOFFSET") } },
      .of(.imageSize) { evidence, _ in evidence.note { $0.number("KERNEL_IMAGE_SIZE") } },
      .of(.smeMask) { evidence, _ in evidence.note { $0.number("sme_mask") } },
      .of(.physBase) { evidence, _ in physBase(evidence) },
      .of(
        .directMap, { evidence, _ in lowMemory(evidence) },
        { evidence, _ in evidence.variable("page_offset_base") },
        { evidence, _ in
          evidence.root.directMap(in: evidence.reader.memory).map {
            Fact($0, "the tables: from there they lead to themselves")
          }
        }),
      .of(
        .vmalloc, { evidence, _ in evidence.note { $0.number("VMALLOC_START") } },
        { evidence, _ in evidence.variable("vmalloc_base") },
        { evidence, facts in unmoved(evidence, facts) { $0.vmalloc } }),
      .of(
        .vmemmap, { evidence, _ in evidence.note { $0.symbol("vmemmap") } },
        { evidence, _ in evidence.variable("vmemmap_base") },
        { evidence, facts in unmoved(evidence, facts) { $0.vmemmap } }),
      .of(.maxPfnMapped) { evidence, _ in evidence.variable("max_pfn_mapped") },
      .of(.directPages) { evidence, _ in evidence.directPages },
      .of(.physicalBits) { evidence, _ in
        evidence.variable(Variable.memoryEnd).flatMap { end in
          physicalBits(memoryEnd: end.value).map { Fact(UInt64($0), end.source) }
        }
      },
      .of(
        .nx, { evidence, _ in Self.missingNoExecute(evidence.mode) },
        { evidence, _ in isSupported(evidence.mode.noExecute, evidence) },
        { evidence, facts in directMapHasNoExecute(evidence, facts) }),
      .of(
        .pge, { evidence, _ in isSupported(evidence.mode.global, evidence) },
        { evidence, _ in evidence.cpu.map { Fact($0.hasPGE, "CR4 (\($0.source))") } }),
      .of(
        .pti,
        { evidence, _ in
          // Source: `pti_check_boottime_disable`, arch/x86/mm/pti.c, 6.12.
          evidence.guest.map { _ in Fact(false, "a Xen PV guest, where Linux leaves it to Xen") }
        },
        { evidence, _ in globalIsLeftOut(evidence) },
        { evidence, facts in hasTwin(evidence, facts) }),
    ] + bounds + xenFacts
  }

  /// What bounds a release that nothing tells.
  private var bounds: [FactSource] {
    [
      .of(.releaseFrom) { evidence, facts in
        bound(facts, evidence.mode) {
          $0.isNewest ? X86Plan.earliestBackport : nil
        }
      },
      .of(.releaseBefore) { evidence, facts in bound(facts, evidence.mode) { $0.before } },
    ]
  }

  package func contradictions(in evidence: FactEvidence) -> [String] {
    guard let base = evidence.values["vmalloc_base"],
      let noted = evidence.info?.number("VMALLOC_START"), base != noted
    else { return [] }
    return ["vmalloc_base and VMCOREINFO disagree: one of them is damaged"]
  }

  private func physBase(_ evidence: FactEvidence) -> Fact<UInt64>? {
    imageSpace.map { space in
      Fact(
        space.lowerBound &- evidence.root.imageOffset,
        evidence.info?["NUMBER(phys_base)"] == nil
          ? "where the image's first page lies" : evidence.info?.source ?? "")
    }
  }

  /// A bound of a release that nothing tells, by where the direct map lies.
  private func bound(
    _ facts: KernelFacts, _ mode: TableFormat, _ release: (X86Plan) -> KernelVersion?
  ) -> Fact<KernelVersion>? {
    guard !imageIsInDirectMap, facts.release == nil, let base = facts.directMap?.value,
      let plan = X86Plan.plan(of: mode, directMap: base, nil)
    else { return nil }
    return release(plan).map { Fact($0, "where the direct map lies") }
  }

  /// The place of an area of a kernel before 4.20 whose direct map is where no KASLR put it.
  private func unmoved(
    _ evidence: FactEvidence, _ facts: KernelFacts, _ place: (X86Plan) -> UInt64
  ) -> Fact<UInt64>? {
    guard !imageIsInDirectMap, let base = facts.directMap?.value,
      facts.isAtLeast(X86Plan.slotUp) == false, evidence.variable("page_offset_base") == nil,
      let plan = X86Plan.plan(of: evidence.mode, directMap: base, facts.version)
    else { return nil }
    return Fact(place(plan), "the layout \(plan.releases)")
  }

  /// The direct map's start where the image lies in it.
  private func lowMemory(_ evidence: FactEvidence) -> Fact<UInt64>? {
    imageIsInDirectMap
      ? Fact(
        evidence.root.imageOffset, "PAGE_OFFSET: from there the tables lead to themselves") : nil
  }

  private static func missingNoExecute(_ mode: TableFormat) -> Fact<Bool>? {
    !mode.forbidsExecution ? Fact(false, "the paging mode has no such bit") : nil
  }

  /// Whether the kernel lets a bit stand in its entries.
  ///
  /// Source: `probe_page_size_mask`, arch/x86/mm/init.c, 6.12.
  private func isSupported(_ bit: UInt64, _ evidence: FactEvidence) -> Fact<Bool>? {
    evidence.variable(Self.supportedMask).map { Fact($0.value & bit != 0, $0.source) }
  }

  private func directMapHasNoExecute(
    _ evidence: FactEvidence, _ facts: KernelFacts
  ) -> Fact<Bool>? {
    let mode = evidence.mode
    guard let base = facts.directMap?.value,
      let step = mode.walk(
        base, root: evidence.root.address, memory: evidence.reader.memory
      ).steps.last, !step.access.contains(.executeInKernel)
    else { return nil }
    return Fact(true, "the direct map has it")
  }

  /// Whether the kernel's own entries have the global bit, where the processor has it.
  private func globalIsLeftOut(_ evidence: FactEvidence) -> Fact<Bool>? {
    let global = evidence.mode.global
    guard let supported = evidence.variable(Self.supportedMask), supported.value & global != 0,
      let kernel = evidence.variable(Self.kernelMask)
    else { return nil }
    let isIsolated = kernel.value & global == 0
    return Fact(
      isIsolated,
      "\(kernel.source) \(isIsolated ? "leaves _PAGE_GLOBAL out" : "holds _PAGE_GLOBAL")"
    )
  }

  /// Whether a user's twin lies after the root.
  ///
  /// It shares the cpu entry area and lacks the direct map. Under PTI each top table is the first of
  /// such a pair. On 32 bits the cpu entry area's place depends on the configuration.
  ///
  /// Source: `pti_init`, arch/x86/mm/pti.c, 6.12.
  private func hasTwin(_ evidence: FactEvidence, _ facts: KernelFacts) -> Fact<Bool>? {
    let mode = evidence.mode
    let root = evidence.root.address
    let memory = evidence.reader.memory
    guard !imageIsInDirectMap else { return nil }
    let twin = userTwin(of: root, mode)
    if twin == root { return Fact(false, "the top table is no first of a pair") }
    guard let directMap = facts.directMap?.value,
      let shared = mode.firstLeaf(
        from: Layout.cpuEntryArea, through: Layout.cpuEntryArea + ((1 << 39) - 1), root: root,
        memory: memory)
    else { return nil }
    let entryArea = mode.walk(shared.address, root: twin, memory: memory)
    if case .unreadable = entryArea.end { return nil }
    let isPair =
      entryArea.physical == shared.physical
      && mode.walk(directMap, root: twin, memory: memory).physical == nil
    return Fact(isPair, "the page behind the top table is \(isPair ? "" : "not ")the user's twin")
  }

  package func facts(of text: KernelText, _ layout: Layout) -> KernelFacts {
    var facts = KernelFacts()
    let plan = oldPlan(text, layout)
    facts.directMap = layout.first(.directMap).map {
      Fact(
        $0.start,
        "the dump's first kernel leaf" + (plan.map { ", in the layout \($0.releases)" } ?? ""))
    }
    takeBounds(&facts, text, layout, plan)
    // PTI shows in areas that no self-test touches: it takes G from all of them.
    func leaves(_ kind: Area.Kind) -> [Run] {
      layout.runs(kind, in: text.space).filter(\.isLeaf)
    }
    let mode = text.space.mode
    let entry = leaves(.cpuEntryArea)
    // On 32 bits there is no vmemmap.
    let kind: Area.Kind = imageIsInDirectMap ? .vmalloc : .vmemmap
    let others = leaves(kind)
    if entry.contains(where: { $0.flags & mode.global != 0 }), !others.isEmpty {
      facts.pge = Fact(true, "the cpu entry area is global")
      if others.allSatisfy({ $0.flags & mode.global != 0 }) {
        facts.pti = Fact(false, "cpu entry area and \(kind.name) are global")
      } else if others.allSatisfy({ $0.flags & mode.global == 0 }) {
        facts.pti = Fact(true, "the cpu entry area is global, \(kind.name) is not")
      }
    }
    // Before 4.15 there is no such area, and isolation, where a stable kernel has it, leaves no G.
    if facts.pti == nil, isBeforeEntryArea(text, layout, plan), !others.isEmpty,
      others.allSatisfy({ $0.flags & mode.global != 0 })
    {
      facts.pge = Fact(true, "\(kind.name) is global")
      facts.pti = Fact(false, "\(kind.name) is global, in a kernel without a cpu entry area")
    }
    facts.nx = Self.missingNoExecute(mode) ?? noExecute(in: text)
    facts.xen = xen(in: text)
    return facts
  }

  /// Whether a whole text of 64 bits is of a kernel before 4.15: it has all markers but the cpu entry
  /// area's, or an old layout and nothing there.
  private func isBeforeEntryArea(
    _ text: KernelText, _ layout: Layout, _ plan: X86Plan?
  ) -> Bool {
    let names = text.markers.map { $0.name.lowercased() }
    guard !imageIsInDirectMap, !names.contains("cpu entry area"), !text.elided,
      !text.space.anomalies.contains(where: \.isUnseen)
    else { return false }
    let end = Layout.cpuEntryArea + ((1 << 39) - 1)
    return !text.space.runs(from: Layout.cpuEntryArea, through: end).contains(where: \.isLeaf)
      && (plan != nil
        || names.contains("vmemmap") && names.contains("high kernel mapping")
          && !unmovedDirectMaps(text.space.mode).contains(layout.first(.directMap)?.start ?? 0))
  }

  /// The plan of a kernel before 4.20 that has its direct map where a text's layout has it.
  private func oldPlan(_ text: KernelText, _ layout: Layout) -> X86Plan? {
    guard !imageIsInDirectMap, let base = layout.first(.directMap)?.start else { return nil }
    let plans = X86Plan.plans(text.space.mode, nil).filter {
      $0.directMap == base && $0.before != nil
    }
    return plans.first { $0.vmalloc == layout.first(.vmalloc)?.start } ?? plans.last
  }

  /// What a text shows of its kernel's release: where the direct map lies, which markers there are,
  /// and how a null address is spelt.
  ///
  /// Sources: `X86Plan`; arch/x86/mm/dump_pagetables.c, 4.15, whose markers stable kernels have from
  /// 4.14 on; lib/vsprintf.c, 2.6.29 ("(null)") and dump_pagetables.c, 2.6.31 (no `%p` any more).
  private func takeBounds(
    _ facts: inout KernelFacts, _ text: KernelText, _ layout: Layout, _ plan: X86Plan?
  ) {
    if text.dialect.printsNull {
      facts.releaseFrom = Fact(KernelVersion(2, 6, 29), "the dump says (null)")
      facts.releaseBefore = Fact(KernelVersion(2, 6, 31), "the dump says (null)")
    } else if let plan, let before = plan.before {
      facts.releaseBefore = Fact(before, "where the direct map lies")
    }
    guard facts.releaseFrom == nil, let base = layout.first(.directMap)?.start else { return }
    let isWhole = !text.elided && !text.space.anomalies.contains(where: \.isUnseen)
    if let newer = text.markers.first(where: { $0.name.lowercased() == "cpu entry area" }) {
      facts.releaseFrom = Fact(X86Plan.earliestBackport, "the dump's marker \(newer.name)")
    } else if isWhole, !imageIsInDirectMap {
      if let plan = X86Plan.plan(of: text.space.mode, directMap: base, nil) {
        facts.releaseFrom =
          plan.isNewest
          ? Fact(X86Plan.earliestBackport, "where the direct map lies") : nil
      } else {
        facts.releaseFrom = Fact(X86Plan.movesAreas, "KASLR moved the direct map")
      }
    }
  }

  private func noExecute(in text: KernelText) -> Fact<Bool>? {
    let mode = text.space.mode
    let kernelLeaves = text.space.runs.lazy.filter { $0.isLeaf && $0.start >= mode.upperHalf }
    if kernelLeaves.contains(where: { !$0.access.contains(.executeInKernel) }) {
      return Fact(true, "the dump shows NX")
    }
    return kernelLeaves.isEmpty || text.space.anomalies.contains(where: \.isUnseen)
      ? nil : Fact(false, "no leaf of the whole kernel half has NX")
  }
}
