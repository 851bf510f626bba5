package import KernelText
package import PageTables

extension Arm64 {
  /// In an order in which each source finds the facts that it needs.
  package var factSources: [FactSource] {
    [
      .of(.root) { evidence, _ in Fact(evidence.root.address, evidence.root.source) },
      .of(
        .release, { evidence, _ in evidence.note { $0["OSRELEASE"] } },
        { evidence, _ in evidence.banner }),
      .of(.kaslrOffset) { evidence, _ in evidence.note { $0.hex("KERNELOFFSET") } },
      .of(.physBase) { evidence, _ in imageStart(evidence) },
      .of(.physicalBits) { evidence, _ in
        evidence.variable(Self.memoryFeatures).flatMap { features in
          Self.physicalBits(range: features.value & 0xf).map {
            Fact(UInt64($0), "\(features.source): PARange")
          }
        }
      },
      .of(
        .directMap, { evidence, _ in noted(evidence) }, { evidence, _ in stored(evidence) },
        { evidence, _ in
          evidence.root.directMap(in: evidence.reader.memory).map {
            Fact($0, "the tables: from there they lead to themselves")
          }
        }),
      .of(
        .vmalloc, { evidence, _ in evidence.note { $0.number("VMALLOC_START") } },
        { evidence, _ in evidence.note { $0.number("MODULES_END") } }),
      .of(.vmemmap) { evidence, _ in pageArray(evidence) },
      .of(.nx) { _, _ in Fact(true, "every processor has it") },
      .of(.pge) { evidence, _ in
        evidence.variable(Self.notGlobal).map { Fact($0.value == 0, $0.source) }
      },
      .of(.pti) { evidence, _ in trampoline(evidence) },
    ]
  }

  /// Where the direct map would have physical address zero: PAGE_OFFSET − PHYS_OFFSET, modulo 2^64.
  ///
  /// PAGE_OFFSET is that of the width that the kernel was made for. Source: `__phys_to_virt`,
  /// arch/arm64/include/asm/memory.h, 6.12.
  private func base(_ evidence: FactEvidence, memoryStart: UInt64) -> UInt64? {
    let made = evidence.info?.number("VA_BITS") ?? UInt64(evidence.mode.addressBits)
    guard (36...52).contains(made) else { return nil }
    // Before 5.4 the direct map was the upper half of the kernel's addresses.
    let release = evidence.info?["OSRELEASE"].flatMap { KernelVersion(release: $0) }
    let isUpper = release.map { $0 < KernelVersion(5, 4) } ?? false
    return (0 &- (1 << (isUpper ? made - 1 : made))) &- memoryStart
  }

  /// Where the image's first page lies in memory.
  ///
  /// Source: `kimage_voffset`, arch/arm64/include/asm/memory.h, 6.12.
  private func imageStart(_ evidence: FactEvidence) -> Fact<UInt64>? {
    guard let info = evidence.info, let offset = info.number("kimage_voffset"),
      let text = evidence.symbols?["_text"]
    else { return nil }
    return Fact(text &- offset, "\(info.source): kimage_voffset, as _text is mapped")
  }

  /// The bits of a physical address by a field of ID_AA64MMFR0_EL1; nil where it is none of Arm's.
  ///
  /// Source: `id_aa64mmfr0_parange_to_phys_shift`, arch/arm64/include/asm/cpufeature.h, 6.12.
  static func physicalBits(range: UInt64) -> Int? {
    let bits = [32, 36, 40, 42, 44, 48, 52, 56]
    return range < UInt64(bits.count) ? bits[Int(range)] : nil
  }

  private func noted(_ evidence: FactEvidence) -> Fact<UInt64>? {
    guard let info = evidence.info, let start = info.number("PHYS_OFFSET"),
      let base = base(evidence, memoryStart: start)
    else { return nil }
    return Fact(base, "\(info.source): PHYS_OFFSET, as physical address 0 would be mapped")
  }

  private func stored(_ evidence: FactEvidence) -> Fact<UInt64>? {
    evidence.variable(Self.memoryStart).flatMap { start in
      base(evidence, memoryStart: start.value).map {
        Fact($0, "\(start.source), as physical address 0 would be mapped")
      }
    }
  }

  /// The struct page of physical address zero.
  ///
  /// Source: `vmemmap`, arch/arm64/include/asm/pgtable.h, 6.12.
  private func pageArray(_ evidence: FactEvidence) -> Fact<UInt64>? {
    if let fact = evidence.note({ $0.symbol("vmemmap") }) { return fact }
    guard let info = evidence.info, let start = info.number("VMEMMAP_START"),
      let memory = info.number("PHYS_OFFSET"), let size = info.size("page"), size > 0
    else { return nil }
    let pages = Int64(bitPattern: memory) >> Int64(evidence.mode.granule.trailingZeroBitCount)
    return Fact(
      start &- UInt64(bitPattern: pages) &* UInt64(size), "\(info.source): VMEMMAP_START")
  }

  /// Whether the trampoline's table maps what the kernel's does at the same address: it is filled
  /// under KPTI alone.
  ///
  /// Source: `map_entry_trampoline`, arch/arm64/mm/mmu.c, 6.1 and 6.12.
  private func trampoline(_ evidence: FactEvidence) -> Fact<Bool>? {
    let mode = evidence.mode
    let memory = evidence.reader.memory
    let root = evidence.root.address
    let twin = userTwin(of: root, mode)
    var entries = mode.emptyTable(mode.root)
    guard (try? mode.readTable(at: twin, from: memory, into: &entries)) != nil else { return nil }
    if entries.allSatisfy({ $0 == 0 }) { return Fact(false, "the trampoline's table is empty") }
    // The trampoline is the last; a table that maps more by mistake has other leaves before it.
    var from = mode.halves[1].first
    for _ in 0..<64 {
      guard
        let leaf = mode.firstLeaf(from: from, through: mode.top, root: twin, memory: memory)
      else { break }
      if mode.walk(leaf.address, root: root, memory: memory).physical == leaf.physical {
        return Fact(true, "the page two before the top table is the trampoline's table")
      }
      guard leaf.address < mode.top - mode.granule else { break }
      from = leaf.address + mode.granule
    }
    return Fact(false, "the page two before the top table is not the trampoline's table")
  }

  package func contradictions(in evidence: FactEvidence) -> [String] {
    guard let own = evidence.values[Self.memoryStart],
      let noted = evidence.info?.number("PHYS_OFFSET"), own != noted
    else { return [] }
    return ["memstart_addr and VMCOREINFO disagree: one of them is damaged"]
  }

  /// Without an image nothing tells where physical addresses lie.
  package func facts(of text: KernelText, _ layout: Layout) -> KernelFacts {
    var facts = KernelFacts()
    facts.nx = Fact(true, "every processor has it")
    return facts
  }
}
