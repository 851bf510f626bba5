internal import MemoryImages
package import PageTables

/// The kernel's array of `struct page`, which lies in vmemmap.
package struct StructPages: Sendable {
  /// What lies where a struct page should, and cannot be one.
  package struct Impossible: Sendable {
    /// The memory that it would be of.
    package let physical: UInt64
    package let words: String
  }

  /// What was looked at in a leaf of vmemmap.
  package struct Content: Sendable {
    package fileprivate(set) var seen = 0
    package fileprivate(set) var impossible: [Impossible] = []
  }

  private let image: KernelImage
  private let array: PageArray
  private let mapcount: Int
  private let refcount: Int
  private let head: Int

  fileprivate init?(_ image: KernelImage) {
    guard let info = image.info, let array = image.pageArray,
      let mapcount = info.offset("page._mapcount").flatMap(Int.init(exactly:)),
      let refcount = info.offset("page._refcount").flatMap(Int.init(exactly:)),
      let head = Int(
        exactly: info.offset("page.compound_head") ?? UInt64(image.architecture.wordSize)),
      array.size >= 8, UInt64(max(mapcount, refcount, head)) <= array.size - 8
    else { return nil }
    self.image = image
    self.array = array
    self.mapcount = mapcount
    self.refcount = refcount
    self.head = head
  }

  /// The virtual address of a page's struct page.
  package func address(of physical: UInt64) -> UInt64 { array.address(of: physical) }

  /// Looks at some of the struct pages of memory that a run of vmemmap's leaves holds.
  ///
  /// - Parameter span: the bytes of one leaf.
  package func content(of run: Run, span: UInt64) -> Content {
    var content = Content()
    let (vmemmap, size) = (array.start, array.size)
    guard run.start >= vmemmap, run.physical != nil else { return content }
    // As many of each leaf, and of a run of many leaves no more than of 64.
    let perLeaf = span / size
    let looks: UInt64 = span > image.mode.granule ? 16 : 64
    let step = max(perLeaf / looks, run.size / size / (64 * looks), 1)
    var number = (run.start - vmemmap &+ (size - 1)) / size
    while (number &+ 1) &* size &- 1 <= run.last &- vmemmap {
      defer { number &+= step }
      let physical = number &* image.mode.granule
      guard image.isMemory(physical),
        let at = run.physical(of: vmemmap &+ number &* size, span: span),
        let bytes = try? image.memory.read(at: at, count: Int(size))
      else { continue }
      switch judge(bytes) {
      case .unset: break
      case .possible: content.seen += 1
      case .impossible(let words):
        content.seen += 1
        content.impossible.append(Impossible(physical: physical, words: words))
      }
    }
    return content
  }

  /// Whether the struct page of a frame says that it is in use; nil where it cannot be read.
  ///
  /// - Parameters:
  ///   - run: the leaves of vmemmap that hold it; `span` is the size of one.
  ///   - use: what `KernelImage.frameUse` says of the frame.
  package func isUsed(_ frame: UInt64, in run: Run, span: UInt64, use: FrameUse?) -> Bool? {
    guard let at = run.physical(of: address(of: frame), span: span),
      let bytes = try? image.memory.read(at: at, count: Int(array.size))
    else { return nil }
    if case .impossible = judge(bytes) { return false }
    return use == .other
  }

  private enum Judgement {
    /// Nobody has set it up, or what it says is another's: a tail of a compound page.
    case unset
    case possible
    case impossible(String)
  }

  /// Whether bytes may be a struct page: one that nobody refers to is not mapped.
  ///
  /// It has a type in the place of the count of mappings, or -1. Sources: include/linux/mm_types.h
  /// and page-flags.h (PAGE_TYPE_BASE, PageTail), 5.10 and 6.12.
  private func judge(_ bytes: [UInt8]) -> Judgement {
    guard let type = bytes.u32(at: mapcount), let count = bytes.u32(at: refcount),
      let head = bytes.u32(at: head), head & 1 == 0,
      bytes.contains(where: { $0 != 0 }), bytes.contains(where: { $0 != 0xff })
    else { return .unset }
    guard count >= 1 << 28 || count == 0 && type < 1 << 31 else { return .possible }
    return .impossible(
      "a reference count of \(count) and a count of mappings of \(Int32(bitPattern: type) &+ 1)")
  }
}

extension KernelImage {
  /// The struct pages; nil where the image does not tell where they lie, and for extracts, which do
  /// not hold them.
  package var structPages: StructPages? { extract == nil ? StructPages(self) : nil }
}
