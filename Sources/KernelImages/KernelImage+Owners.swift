/// What of the kernel's image lies in a frame.
extension KernelImage {
  /// Who a page-table page belongs to: the symbol of the kernel image whose page it is, if any.
  ///
  /// What the kernel gives back of its image when init ends belongs to nobody any more.
  package func owner(ofTable physical: UInt64) -> String? {
    guard let symbols, imageFrames?.contains(physical) == true else { return nil }
    let address = physical &+ imageOffset
    for (start, end) in architecture.freedSections {
      if let start = symbols[start], let end = symbols[end], address >= start, address < end {
        return nil
      }
    }
    return symbol(inFrame: physical)
  }

  /// What lies in a frame of the kernel image: `_text+0x1000`; nil outside of it.
  package func symbol(inFrame physical: UInt64) -> String? {
    guard imageFrames?.contains(physical) == true else { return nil }
    return symbols?.label(around: physical &+ imageOffset)
  }
}
