internal import MemoryImages
internal import PageTables

/// Who has a page of memory, as the kernel's own `struct page` says.
package enum FrameUse: Sendable, Equatable {
  /// On the allocator's free lists.
  case free
  /// A slab cache's.
  case slab
  case other
}

extension KernelImage {
  /// Tells who has a page; nil where the image does not tell where `struct page` lies.
  ///
  /// Sources: kernel/vmcore_info.c and include/linux/page-flags.h, 6.1 (bits of `page_type` that are
  /// clear, a flag for slab) and 6.12 (its top byte).
  package var frameUse: ((UInt64) -> FrameUse?)? {
    guard let info, let array = pageArray, let mapcount = info.offset("page._mapcount"),
      let refcount = info.offset("page._refcount"), let flags = info.offset("page.flags"),
      let buddy = info.number("PAGE_BUDDY_MAPCOUNT_VALUE")
    else { return nil }
    let slab = info.number("PAGE_SLAB_MAPCOUNT_VALUE")
    let slabFlag = info.number("PG_slab")
    let isByte = buddy & 0x00ff_ffff == 0
    func isType(_ type: UInt64, _ value: UInt64) -> Bool {
      isByte ? (type ^ value) & 0xff00_0000 == 0 : UInt32(truncatingIfNeeded: value) == type
    }
    let reader = VirtualReader(mode: mode, root: root, memory: memory)
    return { physical in
      let page = array.address(of: physical)
      guard let type = reader.word(at: page &+ mapcount, size: 4),
        let count = reader.word(at: page &+ refcount, size: 4),
        let flags = reader.word(at: page &+ flags)
      else { return nil }
      // Nobody has set it up: memory without struct page, or zeros in the place of what is missing.
      if type == 0, count == 0, flags == 0 { return nil }
      // The processors' own lists: no references, no type.
      if isType(type, buddy) || count == 0 && type == 0xffff_ffff { return .free }
      if let slab, isType(type, slab) { return .slab }
      if let slabFlag, slabFlag < 64, flags & 1 << slabFlag != 0 { return .slab }
      return .other
    }
  }
}
