package import KernelText
internal import MemoryImages
package import PageTables

/// Where arm64's areas lie: the direct map first, then modules, vmalloc with the image in it, vmemmap.
///
/// Sources: Documentation/arch/arm64/memory.rst, arch/arm64/include/asm/memory.h and pgtable.h, 6.1
/// and 6.12.
extension Arm64 {
  package func layout(of image: KernelImage) -> Layout {
    let mode = image.mode
    let user = Area(kind: .user, start: 0, last: mode.halves[0].last)
    var areas =
      (image.imageAddresses ?? image.readOnlyAddresses).map {
        [Area(kind: .image, start: $0.lowerBound, last: $0.upperBound)]
      } ?? []
    areas.append(user)
    return Layout(areas: areas + (plan(of: image)?.areas ?? []))
  }

  /// By the note, else by the release; KASAN's shadow moves the areas of older kernels.
  private func plan(of image: KernelImage) -> Arm64Plan? {
    guard let info = image.info else { return nil }
    if let plan = Arm64Plan(info, image.mode, image.facts.version) { return plan }
    let hasShadow =
      image.symbols.map { symbols in
        ["kasan_early_shadow_page", "kasan_zero_page"].contains { symbols[$0] != nil }
      } ?? true
    guard let release = image.facts.version, let made = info.number("VA_BITS"), !hasShadow else {
      return nil
    }
    return Arm64Plan(release, image.mode, made: made)
  }

  package func unknownLayout(_ format: TableFormat) -> Layout {
    Layout(areas: [
      Area(kind: .user, start: 0, last: format.halves[0].last)
    ])
  }

  /// By the markers, which start where the kernel looked at the first entry in or after an area.
  package func layout(of text: KernelText, release: String?) -> Layout {
    let mode = text.space.mode
    let runs = text.space.runs
    var places: [String: UInt64] = [:]
    for marker in text.markers where marker.run < runs.count {
      places[marker.name.lowercased()] = runs[marker.run].start
    }
    var areas: [Area] = []
    func add(_ kind: Area.Kind, _ start: String, _ end: String, from: UInt64? = nil) {
      guard let first = from ?? places[start] else { return }
      let last = places[end].map { $0 &- 1 } ?? mode.top
      if first <= last { areas.append(Area(kind: kind, start: first, last: last)) }
    }
    if mode.hasOneRoot { areas.append(Area(kind: .user, start: 0, last: mode.top)) }
    if let first = places["linear mapping start"] {
      // The first marker's name begins the dump, wherever its area begins.
      add(.directMap, "linear mapping start", "linear mapping end", from: min(first, mode.bottom))
    } else {
      // Before 5.4 the direct map was the upper half of the kernel's.
      add(.directMap, "linear mapping", "")
    }
    add(.modules, "modules start", "modules end")
    add(.vmalloc, "vmalloc() area", "vmalloc() end")
    add(.fixmap, "fixmap start", "fixmap end")
    add(.pciPorts, "pci i/o start", "pci i/o end")
    add(.vmemmap, "vmemmap start", "vmemmap end")
    let image = places["vmalloc() area"].flatMap { imageStretch($0, runs) }
    return Layout(areas: (image.map { [$0] } ?? []) + areas)
  }

  /// The image in a text: around the largest executable run, with what follows it without a gap, and
  /// the data after the gap that init leaves.
  private func imageStretch(_ vmalloc: UInt64, _ runs: [Run]) -> Area? {
    let code = runs.indices.filter {
      runs[$0].isLeaf && runs[$0].start >= vmalloc && runs[$0].access.contains(.executeInKernel)
    }.max { runs[$0].size < runs[$1].size }
    guard let code, runs[code].size >= 1 << 20 else { return nil }
    var first = code
    while first > 0, runs[first - 1].isLeaf, runs[first - 1].start >= vmalloc,
      runs[first - 1].last &+ 1 == runs[first].start, runs[first - 1].size <= 1 << 16
    {
      first -= 1
    }
    var last = code
    var gaps = 0
    while last + 1 < runs.count {
      let next = runs[last + 1]
      // Before 5.7 there is no line for a hole.
      let hole = next.isLeaf ? next.start &- runs[last].end : next.size
      if hole != 0 {
        guard gaps == 0, hole <= 64 << 20, last + 2 < runs.count else { break }
        gaps += 1
      }
      last += 1
    }
    while last > code, !runs[last].isLeaf { last -= 1 }
    return Area(kind: .image, start: runs[first].start, last: runs[last].last)
  }

  /// The markers of a kernel without KASAN, but for the fixmap's start, which depends on the
  /// configuration.
  ///
  /// Source: `ptdump_init`, arch/arm64/mm/ptdump.c, 6.12, and `address_markers`, 6.1.
  package func usualMarkers(_ layout: Layout) -> [AddressMarker]? {
    guard let directMap = layout.first(.directMap), let modules = layout.first(.modules),
      let vmalloc = layout.first(.vmalloc)
    else { return nil }
    var found = [
      AddressMarker(start: directMap.start, name: "Linear Mapping start"),
      AddressMarker(start: directMap.last &+ 1, name: "Linear Mapping end"),
      AddressMarker(start: modules.start, name: "Modules start"),
      AddressMarker(start: modules.last &+ 1, name: "Modules end"),
      AddressMarker(start: vmalloc.start, name: "vmalloc() area"),
      AddressMarker(start: vmalloc.last &+ 1, name: "vmalloc() end"),
    ]
    var rest: [AddressMarker] = []
    for (kind, name) in [(Area.Kind.vmemmap, "vmemmap"), (.pciPorts, "PCI I/O")] {
      guard let area = layout.first(kind) else { continue }
      rest.append(AddressMarker(start: area.start, name: "\(name) start"))
      rest.append(AddressMarker(start: area.last &+ 1, name: "\(name) end"))
    }
    if let fixmap = layout.first(.fixmap) {
      rest.append(AddressMarker(start: fixmap.last &+ 1, name: "Fixmap end"))
    }
    found += rest.sorted { $0.start < $1.start }
    return found
  }

  /// A process's file there is none; EFI's marks where its services may lie.
  ///
  /// Source: `ptdump_init` of drivers/firmware/efi/arm-runtime.c, 6.12.
  package func lowerMarkers(_ format: TableFormat, isEFI: Bool) -> [AddressMarker]? {
    isEFI
      ? [
        AddressMarker(start: 0, name: "UEFI runtime start"),
        AddressMarker(start: 1 << UInt64(min(format.addressBits, 48)), name: "UEFI runtime end"),
      ] : [AddressMarker(start: 0, name: "User")]
  }
}
