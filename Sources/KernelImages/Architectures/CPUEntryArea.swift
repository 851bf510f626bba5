package import PageTables

/// What a processor's entry area maps of its per-CPU memory, page by page.
///
/// 64-bit kernels since 5.10: the GDT, the entry stack, the TSS, a guard page, and the stacks of #DF,
/// NMI, #DB and #MC with a guard page after each. What follows (the stacks of #VC, the debug store) is
/// mapped where it is in use. Source: `struct cpu_entry_area`,
/// arch/x86/include/asm/cpu_entry_area.h, and `setup_cpu_entry_area`, arch/x86/mm/cpu_entry_area.c,
/// 5.10 to 7.3.
package struct CPUEntryArea: Sendable {
  package struct Page: Sendable {
    /// The page's number in the area.
    package let index: UInt64
    /// Where it lies in the processor's per-CPU memory, in bytes from its start.
    package let offset: UInt64
    package let isWritable: Bool
    /// Its owner's symbol.
    package let owner: String
  }

  package let pages: [Page]

  /// The symbols that tell it.
  package static let symbols = [
    "gdt_page", "entry_stack_storage", "cpu_tss_rw", "exception_stacks",
  ]

  /// Those of #DF, NMI, #DB and #MC; what the per-CPU memory has of them lies side by side.
  private static let stacks: UInt64 = 4

  /// - Returns: nil where the symbols do not tell it.
  package init?(_ symbols: Symbols, _ facts: KernelFacts, _ mode: TableFormat) {
    let granule = mode.granule
    let places = Self.symbols.compactMap { symbols[$0] }
    // Page-aligned objects, whose ends are where the next one starts.
    func pageCount(_ place: UInt64) -> UInt64 {
      ((symbols.next(after: place) ?? place) &- place &+ (granule - 1)) / granule
    }
    guard places.count == Self.symbols.count, let start = symbols["__per_cpu_start"],
      places.allSatisfy({ $0 & (granule - 1) == 0 }), facts.isAtLeast(5, 10) == true
    else { return nil }
    let offsets = places.map { $0 &- start }
    let state = pageCount(places[2])
    // EXCEPTION_STACK_ORDER: 0 in 5.10, 1 since 5.16 and in later 5.10s, one more with KASAN.
    let size = pageCount(places[3]) / Self.stacks
    guard (1...16).contains(state), [1, 2, 4, 8].contains(size) else { return nil }
    var pages: [Page] = []
    func add(_ index: UInt64, _ offset: UInt64, _ object: Int) {
      pages.append(
        Page(
          index: index, offset: offset, isWritable: object == 1 || object == 3,
          owner: Self.symbols[object]))
    }
    add(0, offsets[0], 0)
    add(1, offsets[1], 1)
    for page in 0..<state { add(2 + page, offsets[2] + page * granule, 2) }
    for stack in 0..<Self.stacks {
      for page in 0..<size {
        let index = 2 + state + 1 + stack * (size + 1) + page
        add(index, offsets[3] + (stack * size + page) * granule, 3)
      }
    }
    self.pages = pages
  }
}
