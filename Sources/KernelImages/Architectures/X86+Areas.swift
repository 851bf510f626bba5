package import PageTables

/// Where x86's areas lie.
///
/// Source: Documentation/arch/x86/x86_64/mm.rst and pgtable_64_types.h, 6.12.
extension Layout {
  /// - Parameters:
  ///   - vmalloc: nil where it is not known; vmemmap lies behind it.
  ///   - directMapLast: where the direct map ends at the latest, where vmalloc's start is not known.
  ///   - imageSize: `KERNEL_IMAGE_SIZE` in bytes: 1 GiB with RANDOMIZE_BASE, else 512 MiB.
  static func x86_64(
    mode: TableFormat, directMap: UInt64, vmalloc: UInt64?, vmemmap: UInt64?,
    directMapLast: UInt64? = nil, imageSize: UInt64 = 1 << 30
  ) -> Layout {
    // KASAN's shadow and what else lies behind vmemmap belongs to no area.
    let vmemmapLast = vmemmap.map {
      min($0 &+ (1 << (mode.levels.count == 5 ? 49 : 40)), cpuEntryArea) &- 1
    }
    let ldt = mode.upperHalf &+ 16 * mode.root.span
    // Kernels before 2.6.27 have their direct map inside today's guard hole.
    var areas = fixed(mode: mode, imageSize: imageSize).map { area in
      area.kind == .guardHole
        ? Area(kind: .guardHole, start: area.start, last: min(area.last, directMap &- 1)) : area
    }
    func add(_ kind: Area.Kind, _ start: UInt64, _ last: UInt64) {
      if start <= last { areas.append(Area(kind: kind, start: start, last: last)) }
    }
    add(.ldtRemap, ldt, min(ldt &+ mode.root.span, directMap) &- 1)
    add(.directMap, directMap, vmalloc.map { $0 &- 1 } ?? directMapLast ?? directMap)
    if let vmalloc, let vmemmap, let vmemmapLast {
      add(.vmalloc, vmalloc, vmemmap &- 1)
      add(.vmemmap, vmemmap, vmemmapLast)
    }
    return Layout(areas: areas.sorted { $0.start < $1.start })
  }

  /// Source: `CPU_ENTRY_AREA_PGD`, arch/x86/include/asm/pgtable_64_types.h, 6.12.
  static let cpuEntryArea: UInt64 = 0xffff_fe00_0000_0000

  /// The areas that KASLR leaves in their places.
  private static func fixed(mode: TableFormat, imageSize: UInt64) -> [Area] {
    let guardHole = mode.upperHalf
    let espfix: UInt64 = 0xffff_ff00_0000_0000
    let efi: UInt64 = 0xffff_ffef_0000_0000
    let image: UInt64 = 0xffff_ffff_8000_0000
    let modules = image &+ imageSize
    let fixmap: UInt64 = 0xffff_ffff_ff00_0000
    let bounds: [(Area.Kind, UInt64, UInt64)] = [
      (.user, 0, ~guardHole),
      (.guardHole, guardHole, guardHole &+ 16 * mode.root.span &- 1),
      (.cpuEntryArea, cpuEntryArea, cpuEntryArea &+ (1 << 39) &- 1),
      (.espfix, espfix, espfix &+ (1 << 39) &- 1),
      (.efi, efi, 0xffff_fffe_ffff_ffff),
      (.image, image, modules &- 1),
      (.modules, modules, fixmap &- 1),
      (.fixmap, fixmap, ~0),
    ]
    return bounds.map { Area(kind: $0.0, start: $0.1, last: $0.2) }
  }

  /// The areas of 32-bit x86, where the kernel's dumper marks their starts.
  ///
  /// Source: arch/x86/include/asm/pgtable_32_areas.h, 6.12: they depend on the configuration.
  ///
  /// - Parameters:
  ///   - vmalloc: VMALLOC_START, for a kernel without markers.
  ///   - image: from _text to _end, which lies inside the direct map.
  ///   - directMapLast: as far as a text without any other marker shows the direct map.
  static func i386(
    mode: TableFormat, markers: [AddressMarker], vmalloc: UInt64?, _ image: ClosedRange<UInt64>?,
    directMapLast: UInt64? = nil
  ) -> Layout {
    let kinds: [(name: String, kind: Area.Kind)] = [
      ("vmalloc() area", .vmalloc), ("vmalloc() end", .other),
      ("persistent kmap() area", .persistentKmap), ("ldt remap", .ldtRemap),
      ("cpu entry area", .cpuEntryArea), ("fixmap area", .fixmap),
    ]
    var starts: [(kind: Area.Kind, start: UInt64)] = [
      (.user, 0), (.directMap, mode.upperHalf),
    ]
    for marker in markers {
      // 2.6.26 wrote Persisent and Fixmap Area.
      let name = marker.name.lowercased().replacing("persisent", with: "persistent")
      if let kind = kinds.first(where: { $0.name == name })?.kind {
        starts.append((kind: kind, start: marker.start))
      }
    }
    if starts.count == 2 {
      // Nothing marks where areas end: the direct map ends 8 MiB before vmalloc (VMALLOC_OFFSET), and
      // what cannot be told has no area.
      starts.removeLast()
      if let vmalloc, vmalloc > mode.upperHalf &+ (8 << 20) {
        starts += [
          (kind: .directMap, start: mode.upperHalf), (kind: .other, start: vmalloc &- (8 << 20)),
        ]
      } else if let directMapLast, directMapLast < mode.top {
        starts += [
          (kind: .directMap, start: mode.upperHalf), (kind: .other, start: directMapLast &+ 1),
        ]
      } else {
        starts.append((kind: .other, start: mode.upperHalf))
      }
    }
    starts.sort { $0.start < $1.start }
    var areas = image.map { [Area(kind: .image, start: $0.lowerBound, last: $0.upperBound)] } ?? []
    for (index, area) in starts.enumerated() {
      let next = index + 1 < starts.count ? starts[index + 1].start : mode.top &+ 1
      if area.start < next, area.kind != .other {
        areas.append(Area(kind: area.kind, start: area.start, last: next &- 1))
      }
    }
    return Layout(areas: areas)
  }

  /// The layout where not even the direct map's place is known.
  package static func x86_64Fixed(mode: TableFormat, imageSize: UInt64 = 1 << 30) -> Layout {
    Layout(areas: fixed(mode: mode, imageSize: imageSize))
  }
}
