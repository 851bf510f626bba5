internal import MemoryImages
internal import PageTables

/// What the kernel's own lists say of vmalloc: which frames it has mapped where.
///
/// Each area that vmalloc() made has its pages in `vm_struct.pages`, one that ioremap() made its
/// first frame in `phys_addr`. What vmap() maps of others' pages is not listed.
/// Source: include/linux/vmalloc.h and mm/vmalloc.c, 5.4 to 7.3.
package struct VmallocPages: Sendable, Equatable {
  /// Pages that lie one after the other in both address spaces.
  package struct Piece: Sendable, Equatable {
    package let start: UInt64
    package let physical: UInt64
    /// In bytes.
    package internal(set) var size: UInt64
    package var last: UInt64 { start &+ (size &- 1) }

    package init(start: UInt64, physical: UInt64, size: UInt64) {
      self.start = start
      self.physical = physical
      self.size = size
    }
  }

  /// In the order of addresses.
  package private(set) var pieces: [Piece]

  /// The pages of all areas at most: 64 GiB.
  private static let mostPages = 1 << 24

  package init(pieces: [Piece]) { self.pieces = pieces.sorted { $0.start < $1.start } }

  /// Reads the lists.
  ///
  /// - Returns: nil where types or symbols do not tell where they are, or what lies there
  ///   contradicts itself.
  fileprivate init?(
    _ types: KernelTypes, _ symbols: Symbols, _ pages: PageArray, _ list: KernelList
  ) {
    guard let areas = Self.areas(types, symbols, list), let fields = Fields(types) else {
      return nil
    }
    let granule = list.reader.mode.granule
    var found: [Piece] = []
    var count = 0
    for area in areas {
      guard let area = fields.area(at: area, list.reader) else { return nil }
      guard let area, area.isMapped, area.size > granule else { continue }
      if area.isDevice {
        // The last page is a guard.
        if area.physical != 0 {
          let size = area.size - (area.hasGuard ? granule : 0)
          found.append(Piece(start: area.start, physical: area.physical, size: size))
        }
        continue
      }
      guard area.pages != 0, area.count > 0 else { continue }
      count += area.count
      guard UInt64(area.count) <= area.size / granule, count <= Self.mostPages,
        let bytes = list.reader.bytes(at: area.pages, count: 8 * area.count)
      else { return nil }
      for index in 0..<area.count {
        guard let page = bytes.u64(at: 8 * index), let frame = pages.frame(at: page) else {
          return nil
        }
        let start = area.start &+ UInt64(index) &* granule
        if index > 0, let last = found.last, last.physical &+ last.size == frame {
          found[found.count - 1].size += granule
        } else {
          found.append(Piece(start: start, physical: frame, size: granule))
        }
      }
    }
    self.init(pieces: found)
  }

  /// The addresses of all `vmap_area`s that are in use: on one list, or since 6.9 on one a node.
  private static func areas(_ types: KernelTypes, _ symbols: Symbols, _ list: KernelList)
    -> [UInt64]?
  {
    guard let offset = types["vmap_area.list"] else { return nil }
    if let head = symbols["vmap_area_list"] { return list.objects(head: head, offset: offset) }
    guard let nodes = symbols["vmap_nodes"].flatMap({ list.reader.word(at: $0) }),
      let count = symbols["nr_vmap_nodes"].flatMap({ list.reader.word(at: $0, size: 4) }),
      let size = types.size(of: "vmap_node"), let busy = types["vmap_node.busy"],
      let head = types["rb_list.head"], count <= 1 << 12
    else { return nil }
    var found: [UInt64] = []
    for node in 0..<count {
      guard
        let own = list.objects(head: nodes &+ node &* size &+ busy &+ head, offset: offset)
      else { return nil }
      found += own
    }
    return found
  }
}

/// Where the fields lie that are read of an area.
private struct Fields {
  struct Area {
    let start: UInt64
    /// With the guard page.
    let size: UInt64
    let flags: UInt64
    let pages: UInt64
    let count: Int
    let physical: UInt64

    /// VM_IOREMAP.
    var isDevice: Bool { flags & 0x1 != 0 }
    /// Not VM_UNINITIALIZED: all of its pages are mapped.
    var isMapped: Bool { flags & 0x20 == 0 }
    /// Not VM_NO_GUARD.
    var hasGuard: Bool { flags & 0x40 == 0 }
  }

  private let start: UInt64
  private let of: UInt64
  private let own: [UInt64]

  init?(_ types: KernelTypes) {
    let names = ["addr", "size", "flags", "pages", "nr_pages", "phys_addr"]
    let own = names.compactMap { types["vm_struct.\($0)"] }
    guard own.count == names.count, let start = types["vmap_area.va_start"],
      let of = types["vmap_area.vm"]
    else { return nil }
    self.start = start
    self.of = of
    self.own = own
  }

  /// - Returns: nil inside where the area has no `vm_struct` (vm_map_ram), nil where the two do not
  ///   agree.
  func area(at address: UInt64, _ reader: VirtualReader) -> Area?? {
    guard let start = reader.word(at: address &+ start), let vm = reader.word(at: address &+ of)
    else { return nil }
    guard vm != 0 else { return .some(nil) }
    func field(_ index: Int, size: Int? = nil) -> UInt64? {
      reader.word(at: vm &+ own[index], size: size)
    }
    guard field(0) == start, let size = field(1), let flags = field(2), let pages = field(3),
      let count = field(4, size: 4), let physical = field(5),
      size > 0, size & (reader.mode.granule - 1) == 0, start <= .max - size
    else { return nil }
    return Area(
      start: start, size: size, flags: flags, pages: pages, count: Int(count), physical: physical)
  }
}

extension KernelImage {
  /// Which frames vmalloc has where; nil where the image does not tell it.
  package func vmallocPages() -> VmallocPages? {
    if let extract { return extract.vmallocPages }
    guard let symbols, let pageArray, let types else { return nil }
    let reader = VirtualReader(mode: mode, root: root, memory: memory)
    return VmallocPages(types, symbols, pageArray, KernelList(reader: reader))
  }
}
