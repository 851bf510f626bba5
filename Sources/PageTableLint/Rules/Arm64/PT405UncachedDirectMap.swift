internal import KernelImages
internal import PageTables

extension Rule {
  /// Memory whose direct map is not cached.
  static let uncachedDirectMap = Rule(
    id: "PT405", name: "uncached-direct-map", severity: .error,
    summary: "a part of the direct map is device memory or not cached", serves: .arm64,
    needs: [.area(.directMap)],
    documentation: """
      What: a leaf of the direct map of another type than MEM/NORMAL and MEM/NORMAL-TAGGED.
      Why: all of the kernel's own data lies there. Uncached it is slow and differs from what caches
      hold; as a device's, unaligned and exclusive accesses fault, and so do atomic operations.
      How Linux should look: MEM/NORMAL throughout, or with MTE MEM/NORMAL-TAGGED. Nothing changes
      the type of the direct map later: buffers for devices get a second mapping in vmalloc's area.
      False alarm: none known; an index beyond the types that Linux gives the processor is a
      device's.
      Fix: see what overwrote AttrIndx (bits 4 to 2).
      References:
      - arch/arm64/mm/mmu.c, Linux 6.12: map_mem
      - kernel/dma/direct.c, Linux 6.12: dma_direct_alloc (dma_common_contiguous_remap)
      """
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    let bad = table.runs(.directMap).filter { $0.isLeaf && mode.memoryType(of: $0) != .writeBack }
    guard let area = table.layout.first(.directMap), !bad.isEmpty else { return [] }
    return [
      Finding(
        rule, "\(total(bad)) of the direct map not cached as memory is", in: table, runs: bad,
        area: area, evidence: evidence(bad, subject, table),
        help: "see what overwrote AttrIndx in the entries")
    ]
  }
}
