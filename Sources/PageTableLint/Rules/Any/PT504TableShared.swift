internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// One table page at two places of one tree.
  static let tableShared = Rule(
    id: "PT504", name: "table-shared", severity: .error,
    summary: "one table page is used at several places", needs: [.physicalAddresses],
    documentation: """
      What: two entries of the kernel's half of one tree, or two levels of it, that lead to the same
      table page.
      Why: what is mapped at one place appears at the other, and a change at one changes both. A
      table page was freed while it was in use and given out again, or a pointer was overwritten.
      How Linux should look: each table page has one place in a tree. Trees share tables: those of
      all processes, of EFI and of PTI's user half.
      False alarm: KASAN's tables for shadow that nothing uses, whose entries all lead to one page.
      The ESPfix area, which repeats one stack on purpose. The rule leaves both out, by what they
      are. A Xen PV guest's direct map and its kernel image share the tables of the image's memory:
      left out where both lead to it.
      Fix: find which of the places is right (in the direct map the address tells), and who freed
      the page.
      References:
      - mm/kasan/init.c, Linux 6.12: kasan_populate_early_shadow
      - arch/x86/kernel/espfix_64.c, Linux 6.12
      - arch/x86/xen/mmu_pv.c, Linux 6.12: xen_setup_kernel_pagetable
      """, explainsWhatLiesBelow: true, comparesParts: true, judgesTables: true
  ) { rule, subject in
    subject.tables.flatMap { table -> [Finding] in
      let mode = table.space.mode
      let again = reachedAgain(table)
      guard !again.isEmpty else { return [] }
      var first: [UInt64: TablePointer] = [:]
      var places: [UInt64: [TablePointer]] = [:]
      for pointer in table.pointers where pointer.address >= mode.upperHalf {
        let target = mode.tableField.address(in: pointer.entry)
        guard again.contains(target) else { continue }
        guard let before = first[target] else {
          first[target] = pointer
          continue
        }
        // An entry is met again where its table has several places itself.
        if before.parent == pointer.parent, before.entry == pointer.entry,
          before.address & (mode.span(above: before) - 1)
            == pointer.address & (mode.span(above: pointer) - 1)
        {
          continue
        }
        places[target, default: [before]].append(pointer)
      }
      return places.sorted { $0.key < $1.key }.compactMap { target, pointers in
        guard !isMeantToBeShared(target, pointers, table, subject) else { return nil }
        let owner = subject.image?.owner(ofTable: target).map { " (\($0))" } ?? ""
        let lines = pointers.prefix(3).map {
          Evidence.entry(
            Evidence.Entry(
              address: $0.address, level: mode.level($0.level).name, value: $0.entry))
        }
        return Finding(
          rule, "the table at \(target.entry)\(owner) has \(pointers.count) places", in: table,
          runs: pointers.map { run($0, mode) }, entry: pointers.last?.entry,
          evidence: lines + (pointers.count > 3 ? ["and \(pointers.count - 3) more"] : []),
          help: "see which place is right, and who freed the table page")
      }
    }
  }

  /// The tables that more than one entry leads to.
  private static func reachedAgain(_ table: Table) -> Set<UInt64> {
    var again: Set<UInt64> = []
    var next: UInt64 = 0
    for pages in table.pointers.targets(table.space.mode) {
      if pages.lowerBound < next {
        let end = min(pages.upperBound &+ 1, next)
        again.formUnion(stride(from: pages.lowerBound, to: end, by: Int(table.space.mode.granule)))
      }
      next = max(next, pages.upperBound &+ 1)
    }
    return again
  }

  /// Whether pointers to tables of leaves are one of the direct map and one of the image for the same
  /// memory.
  private static func areImageAndItsMemory(
    _ pointers: [TablePointer], _ table: Table, _ subject: Subject
  ) -> Bool {
    guard pointers.count == 2, pointers.allSatisfy({ $0.level == 2 }),
      let map = table.layout.first(.directMap), let image = table.layout.first(.image),
      let base = subject.facts.physBase?.value,
      let own = pointers.first(where: { map.contains($0.address) }),
      let other = pointers.first(where: { image.contains($0.address) })
    else { return false }
    return own.address - map.start == other.address - image.start &+ base
  }

  private static func isMeantToBeShared(
    _ target: UInt64, _ pointers: [TablePointer], _ table: Table, _ subject: Subject
  ) -> Bool {
    let mode = table.space.mode
    if pointers.allSatisfy({ table.layout.area(of: $0.address).kind == .espfix }) { return true }
    if subject.facts.xen?.value == true, areImageAndItsMemory(pointers, table, subject) {
      return true
    }
    guard let level = pointers.first.map({ mode.level($0.level - 1) }) else { return false }
    var entries = mode.emptyTable(level)
    guard let image = subject.image,
      (try? mode.readTable(at: target, from: image.memory, into: &entries)) != nil,
      let first = entries.first
    else { return false }
    // An overwritten pointer may lead to a page of zeros.
    return entries.allSatisfy {
      mode.classify($0, level: level.number) != .invalid && ($0 ^ first) & mode.tableField.mask == 0
    }
  }
}

extension TableFormat {
  /// The bytes that the table holding `pointer` spans.
  fileprivate func span(above pointer: TablePointer) -> UInt64 {
    level(pointer.level).span &* UInt64(level(pointer.level).entries)
  }
}
