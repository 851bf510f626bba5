/// How the processor caches memory.
public enum MemoryType: String, Sendable, CaseIterable {
  case writeBack = "WB"
  case writeCombining = "WC"
  case uncachedMinus = "UC-"
  case uncached = "UC"
  case writeProtected = "WP"
  case writeThrough = "WT"
}

/// How a leaf's bits choose a type of memory: they are an index into a table.
package struct MemoryTypes: Sendable, Equatable {
  /// The bits of a page, and of a larger leaf, lowest bit of the index first.
  package let inPage: [UInt64]
  package let inLarge: [UInt64]
  /// The table that Linux gives the processor.
  package let types: [MemoryType]
  /// All bits of both.
  private let bits: UInt64

  package init(inPage: [UInt64], inLarge: [UInt64], types: [MemoryType]) {
    self.inPage = inPage
    self.inLarge = inLarge
    self.types = types
    bits = (inPage + inLarge).reduce(0, |)
  }

  /// The index that a leaf of a level chooses.
  package func index(_ flags: UInt64, level: Int) -> Int {
    // As most leaves: memory that is cached.
    guard flags & bits != 0 else { return 0 }
    var index = 0
    if level == 1 {
      for bit in inPage.indices where flags & inPage[bit] != 0 { index |= 1 << bit }
    } else {
      for bit in inLarge.indices where flags & inLarge[bit] != 0 { index |= 1 << bit }
    }
    return index
  }
}

extension TableFormat {
  /// The type of memory that a leaf chooses; nil where the format alone does not tell.
  package func memoryType(of flags: UInt64, level: Int) -> MemoryType? {
    guard let memoryTypes else { return nil }
    let index = memoryTypes.index(flags, level: level)
    return index < memoryTypes.types.count ? memoryTypes.types[index] : nil
  }

  package func memoryType(of run: Run) -> MemoryType? {
    memoryType(of: run.flags, level: Int(run.level))
  }
}
