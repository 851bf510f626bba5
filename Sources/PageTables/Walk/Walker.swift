internal import Dispatch
internal import Synchronization

/// The tables through which KASAN maps its shadow's unused parts to one page.
///
/// Source: `kasan_early_shadow_pte` and its kin, mm/kasan/init.c, 6.12.
package struct EarlyShadow: Sendable {
  /// The physical address of the table of each level.
  package let tables: [Int: UInt64]
  /// The first entry of the lowest of them.
  package let entry: UInt64

  package init(tables: [Int: UInt64], entry: UInt64) {
    self.tables = tables
    self.entry = entry
  }
}

/// Walks page tables in physical memory into an address space.
package enum Walker {
  /// Reads every table below `root`.
  ///
  /// - Parameters:
  ///   - root: the physical address of the top table.
  ///   - half: what the root maps, where each half has its own; the upper one where it is not said.
  ///   - userHalfOnly: leaves out the kernel's half of the top table.
  ///   - shadow: tables that are taken for one leaf, as the kernel's own dumper does.
  ///   - inParallel: uses all processors; what is found is the same.
  ///   - tellsIncidental: leaves that differ in incidental flags alone are runs of their own; where
  ///     not, they are as one run, which has the flags of its first leaf.
  ///   - budget: the walk stops where it is used up.
  ///   - progress: called now and then, on any thread, with the number of tables read.
  package static func walk(
    root: UInt64, mode: TableFormat, memory: any PhysicalMemory, half: AddressHalf? = nil,
    userHalfOnly: Bool = false, shadow: EarlyShadow? = nil, inParallel: Bool = true,
    tellsIncidental: Bool = true, budget: RunBudget? = nil,
    progress: (@Sendable (Int) -> Void)? = nil
  ) -> AddressSpace {
    let input = WalkInput(
      mode: mode, memory: memory, shadow: shadow, budget: budget,
      progress: progress.map(WalkProgress.init), end: userHalfOnly ? mode.upperHalf : 0,
      ignored: tellsIncidental ? 0 : mode.incidental)
    let base = mode.hasOneRoot ? 0 : half?.first ?? mode.bottom
    var subtrees: [Subtree] = []
    if inParallel, mode.levels.count > Subtree.level + 1 {
      var lister = SubtreeLister(input)
      lister.list(root, level: mode.levels.count, base: base)
      subtrees = lister.subtrees
    }
    let walks = SubtreeWalks(subtrees, input)
    let space = Mutex(AddressSpace(mode: mode, runs: []))
    DispatchQueue.concurrentPerform(iterations: walks.threads) { thread in
      guard thread == 0 else { return walks.walk() }
      var scanner = TableScanner(input, walks: walks)
      scanner.walkTable(
        at: root, level: mode.levels.count, base: base, inherited: .all, pointer: nil)
      space.withLock { $0 = scanner.assembler.space }
    }
    return space.withLock { $0 }
  }

  /// Says that the user halves below some roots are walked next, so that memory that has to be waited
  /// for is fetched together.
  package static func willWalk(
    userHalvesOf roots: [UInt64], mode: TableFormat, memory: any PhysicalMemory
  ) {
    ReadAhead(mode, memory).willReadUserHalves(of: roots)
  }
}
