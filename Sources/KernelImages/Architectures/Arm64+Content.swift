internal import KernelText
package import MemoryImages
package import PageTables

/// The kernel's top table, found by what it is where nothing tells where it starts.
extension Arm64 {
  /// The top table whose direct map leads to itself and to the most of the image's memory.
  ///
  /// Granule and width are those that it verifies with: a table of another level leads there too, and
  /// has fewer levels above its leaves. Nil where two are equally good.
  package func rootByContent(
    in memory: any MemoryImage
  ) -> (format: TableFormat, address: UInt64)? {
    var found: [(format: TableFormat, address: UInt64, score: Int)] = []
    let samples = Self.samples(of: memory)
    var effort = Self.mostPlaces
    let pages = Self.pagesOfPointers(memory)
    for granule in TableFormat.Arm64Granule.allCases {
      let size: UInt64 = 1 << UInt64(granule.rawValue)
      for page in Set(pages.map { $0 & ~(size - 1) }).sorted() {
        for bits in granule.widths {
          let format = TableFormat.arm64(granule, bits: bits)
          for root in Self.roots(in: page, format) where Self.isTop(root, page, format, memory) {
            guard let base = directMap(format, root, memory, effort: &effort) else { continue }
            let reached = samples.count { address in
              format.walk(base &+ address, root: root, memory: memory).physical == address
            }
            found.append((format, root, reached * 8 + format.levels.count))
          }
        }
      }
    }
    guard let best = found.max(by: { $0.score < $1.score }),
      found.count(where: { $0.score == best.score }) == 1
    else { return nil }
    return (best.format, best.address)
  }

  /// A kernel made for 52 bits has 1024 entries in its top table of 64K pages, and runs with 48 bits in
  /// the last 64 of them.
  ///
  /// Source: `offset_ttbr1`, arch/arm64/include/asm/assembler.h, 6.12.
  private static func roots(in page: UInt64, _ format: TableFormat) -> [UInt64] {
    format.granule == 1 << 16 && format.root.entries == 64 ? [page, page + 960 * 8] : [page]
  }

  /// Where the tables lead to themselves, as `Root.directMap` finds it.
  ///
  /// - Parameter effort: the entries of top tables that may still be looked below.
  private func directMap(
    _ format: TableFormat, _ root: UInt64, _ memory: any MemoryImage, effort: inout Int
  ) -> UInt64? {
    var entries = format.emptyTable(format.root)
    guard (try? format.readTable(at: root, from: memory, into: &entries)) != nil else { return nil }
    for (index, entry) in entries.enumerated() where entry != 0 && effort > 0 {
      effort -= 1
      let start = format.upperHalf &+ UInt64(index) &* format.root.span
      if let leaf = format.firstLeaf(
        from: start, through: start &+ (format.root.span &- 1), root: root, memory: memory,
        tables: 64)
      {
        let base = leaf.address &- leaf.physical
        if base & (imageAlignment - 1) == 0,
          format.walk(base &+ root, root: root, memory: memory).physical == root
        {
          return base
        }
      }
    }
    return nil
  }

  /// An honest image has one candidate or few, with some ten entries each.
  private static let mostPlaces = 1 << 16

  /// Physical addresses by which candidates are compared, from all over the memory.
  private static func samples(of memory: any MemoryImage) -> [UInt64] {
    let wanted = 64
    let ranges = memory.ranges
    let each = max(1, wanted / max(1, ranges.count))
    let some = stride(from: 0, to: ranges.count, by: max(1, ranges.count / wanted))
    return some.flatMap { index in
      let range = ranges[index]
      let step = (range.upperBound - range.lowerBound) / UInt64(each)
      return (0..<UInt64(each)).map { range.lowerBound + $0 * step }
    }
  }

  /// What may be pages of upper tables, each of 4096 bytes: words that are zero or a pointer to a table,
  /// or blocks beside those.
  ///
  /// Of a pointer Linux sets the type, AF, nG under KPTI, and what it takes from all below; user
  /// memory's leaves and the kernel's have other bits. Sources: `PMD_TYPE_TABLE` and its kin,
  /// arch/arm64/include/asm/pgtable-hwdef.h, and `idmap_kpti_install_ng_mappings`,
  /// arch/arm64/mm/proc.S, 6.12.
  private static func pagesOfPointers(_ memory: any MemoryImage) -> [UInt64] {
    let never: UInt64 = 0x07fc_0000_0000_00fc
    var found: [UInt64] = []
    var words = [UInt64](repeating: 0, count: 512)
    memory.forEachPage { address, startsWith in
      guard found.count < mostPages, !startsWith(ones),
        (try? memory.readTable(at: address, into: &words)) != nil
      else { return }
      var hasPointer = false
      for word in words where word != 0 {
        guard word & 1 != 0, word & 2 == 0 || word & never == 0 else { return }
        if word & 2 != 0 { hasPointer = true }
      }
      if hasPointer { found.append(address & ~4095) }
    }
    return found
  }

  /// Pages that are no table, and often so.
  private static let ones = [UInt8](repeating: 0xff, count: 8)

  /// A machine with ten thousand processes has fewer; a hostile image is full of them.
  private static let mostPages = 1 << 16

  /// Whether a page holds a kernel's top table and nothing else: the direct map is in one half of its
  /// addresses, vmalloc in the other.
  ///
  /// Source: `swapper_pg_dir`, arch/arm64/kernel/vmlinux.lds.S, 6.12: a page.
  private static func isTop(
    _ root: UInt64, _ page: UInt64, _ format: TableFormat, _ memory: any MemoryImage
  ) -> Bool {
    var entries = [UInt64](repeating: 0, count: Int(format.granule / 8))
    guard (try? memory.readTable(at: page, into: &entries)) != nil else { return false }
    let first = Int((root - page) / 8)
    let count = format.root.entries
    let middle = first + count / 2
    func isUsed(_ part: ArraySlice<UInt64>) -> Bool {
      part.contains { $0 != 0 }
        && part.allSatisfy { $0 == 0 || format.root.classify($0) != .invalid }
    }
    return isUsed(entries[first..<middle]) && isUsed(entries[middle..<(first + count)])
      && entries[..<first].allSatisfy { $0 == 0 }
      && entries[(first + count)...].allSatisfy { $0 == 0 }
  }
}
