internal import MemoryImages
internal import PageTables

/// Where the kernel's tables start, how they are read, and how that is known.
struct Root {
  let mode: TableFormat
  /// Physical.
  let address: UInt64
  let source: String
  /// What the image's virtual addresses lie above its physical ones.
  let imageOffset: UInt64
  /// Whether the tables lead to themselves: by the address that the kernel gives of them, or
  /// through their direct map.
  let isVerified: Bool

  init(
    mode: TableFormat, address: UInt64, source: String, imageOffset: UInt64, isVerified: Bool
  ) {
    self.mode = mode
    self.address = address
    self.source = source
    self.imageOffset = imageOffset
    self.isVerified = isVerified
  }

  /// The tables at an address that something else than the kernel's note gives.
  init(_ mode: TableFormat, at address: UInt64, source: String, memory: any MemoryImage) {
    let space = mode.architecture.imageSpace
    let directMap = Self.directMap(mode: mode, root: address, memory: memory)
    let text = Self.text(mode: mode, root: address, memory: memory)
    self.init(
      mode: mode, address: address, source: source,
      imageOffset: space.map { space in
        text.map { $0.address &- $0.physical } ?? space.lowerBound
      } ?? mode.upperHalf,
      isVerified: directMap != nil)
  }

  /// The kernel's own top table, which a symbol tells, instead of a processor's.
  func moved(to swapper: UInt64, source: String, memory: any MemoryImage) -> Root? {
    guard mode.hasOneRoot || mode.architecture.imageSpace != nil else {
      return placed(by: swapper, source: source, memory: memory)
    }
    let own = swapper &- imageOffset
    guard mode.walk(swapper, root: own, memory: memory).physical == own else { return nil }
    return Root(
      mode: mode, address: own, source: source, imageOffset: imageOffset, isVerified: true)
  }

  /// The same root where a symbol tells its address, and so where the image lies.
  private func placed(by swapper: UInt64, source: String, memory: any MemoryImage) -> Root? {
    let page = address & ~(mode.granule - 1)
    guard mode.walk(swapper, root: address, memory: memory).physical == page else { return nil }
    return Root(
      mode: mode, address: address, source: source, imageOffset: swapper &- page, isVerified: true)
  }

  /// The start of the direct map, found as the place from which the tables lead to themselves.
  func directMap(in memory: any MemoryImage) -> UInt64? {
    Self.directMap(mode: mode, root: address, memory: memory)
  }

  private static func directMap(
    mode: TableFormat, root: UInt64, memory: any MemoryImage
  ) -> UInt64? {
    let span = mode.root.span
    let architecture = mode.architecture
    // Where the image has a place of its own, it is in the last slot.
    let last = architecture.imageIsInDirectMap ? mode.top : mode.top &- span
    var start = mode.upperHalf
    while start > 0, start < last {
      if let leaf = mode.firstLeaf(
        from: start, through: start &+ (span &- 1), root: root, memory: memory)
      {
        let base = leaf.address &- leaf.physical
        // A direct map that does not begin with address zero may have it anywhere.
        if !mode.hasOneRoot || base >= mode.upperHalf && base <= leaf.address,
          base & (architecture.imageAlignment - 1) == 0,
          mode.walk(base &+ root, root: root, memory: memory).physical == root
        {
          return base
        }
      }
      start = start &+ span
    }
    return nil
  }

  /// The first page of the kernel image: what lies before it is unmapped when init begins.
  ///
  /// Source: `cleanup_highmap`, arch/x86/mm/init_64.c, 6.12.
  static func text(mode: TableFormat, root: UInt64, memory: any MemoryImage)
    -> (address: UInt64, physical: UInt64)?
  {
    mode.architecture.imageSpace.flatMap { space in
      mode.firstLeaf(
        from: space.lowerBound, through: space.upperBound, root: root, memory: memory)
    }
  }
}
