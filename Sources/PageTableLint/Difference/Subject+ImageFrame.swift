internal import KernelImages
internal import MemoryImages
internal import PageTables

/// Where the kernel image lies in memory, as far as an input tells it.
extension Subject {
  /// The physical address of the kernel image's first page.
  ///
  /// A text dump does not tell it, but the direct map has the image's text and rodata read-only, too:
  /// it is where a read-only stretch of just that length lies, if there is one such.
  /// Source: `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  var imageFrame: UInt64? {
    if let image { return image.imageFrames?.lowerBound }
    guard let start = imageStart else { return nil }
    func stretches(_ kind: Area.Kind) -> RangeSet {
      RangeSet(
        kernel.layout.runs(kind, in: kernel.space)
          .filter { $0.isLeaf && !$0.access.isWritable }.map { $0.start...$0.last })
    }
    guard let own = stretches(.image).first(where: { $0.lowerBound == start }),
      let base = kernel.layout.first(.directMap)?.start
    else { return nil }
    func size(_ range: ClosedRange<UInt64>) -> UInt64 { range.upperBound &- range.lowerBound }
    let alike = stretches(.directMap).filter { size($0) == size(own) }
    return alike.count == 1 ? alike[0].lowerBound &- base : nil
  }

  /// The bytes from the image's first page to its last.
  var imageSize: UInt64? {
    if let frames = image?.imageFrames {
      return frames.upperBound &- frames.lowerBound &+ 1
    }
    guard let start = imageStart,
      let last = kernel.layout.runs(.image, in: kernel.space).last(where: \.isLeaf)?.last
    else { return nil }
    return last &- start &+ 1
  }
}
