internal import PageTables

/// Where the kernel has its `struct page` of each frame: an array in vmemmap, by page frame number.
///
/// Source: `page_to_pfn`, include/asm-generic/memory_model.h (SPARSEMEM_VMEMMAP), 6.12.
package struct PageArray: Sendable {
  /// The virtual address of frame 0's.
  let start: UInt64
  /// The bytes of one.
  let size: UInt64
  /// The bytes of a frame.
  private let granule: UInt64

  /// - Returns: nil where the image does not tell where the array lies, or how long an element is.
  init?(_ facts: KernelFacts, _ info: VMCoreInfo?, _ mode: TableFormat) {
    guard let start = facts.vmemmap?.value, let size = info?.size("page"), size > 0, size <= 4096
    else { return nil }
    self.start = start
    self.size = UInt64(size)
    granule = mode.granule
  }

  /// The virtual address of a frame's struct page.
  package func address(of physical: UInt64) -> UInt64 { start &+ physical / granule &* size }

  /// The virtual addresses of the struct pages of whole frames; nil where there is none.
  package func addresses(of frames: ClosedRange<UInt64>) -> ClosedRange<UInt64>? {
    let first = (frames.lowerBound &+ (granule - 1)) / granule
    let end = (frames.upperBound &+ 1) / granule
    guard first < end, end <= (UInt64.max - start) / size else { return nil }
    return (start + first * size)...(start + end * size - 1)
  }

  /// The frame whose struct page lies at an address; nil where no struct page starts there.
  func frame(at address: UInt64) -> UInt64? {
    guard address >= start, (address - start).isMultiple(of: size) else { return nil }
    let number = (address - start) / size
    return number < 1 << 52 / granule ? number * granule : nil
  }
}

extension KernelImage {
  /// Where each frame's struct page lies; nil where the image does not tell it.
  package var pageArray: PageArray? { PageArray(facts, info, mode) }
}
