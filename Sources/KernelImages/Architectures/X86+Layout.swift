package import KernelText
internal import MemoryImages
package import PageTables

extension X86 {
  package func layout(of image: KernelImage) -> Layout {
    let mode = image.mode
    guard let directMap = image.facts.directMap?.value else { return .x86_64Fixed(mode: mode) }
    guard !imageIsInDirectMap else {
      let markers = image.markers?.value ?? []
      return .i386(
        mode: mode, markers: markers,
        vmalloc: image.facts.vmalloc?.value ?? (markers.isEmpty ? vmallocByShape(image) : nil),
        image.imageAddresses ?? image.readOnlyAddresses)
    }
    // Its last page may be a large one that reaches past the end of memory.
    let gigabyte: UInt64 = 1 << 30
    let memoryEnd = image.memory.ranges.last.map { $0.upperBound &+ 1 } ?? 0
    return .x86_64(
      mode: mode, directMap: directMap, vmalloc: image.facts.vmalloc?.value,
      vmemmap: image.facts.vmemmap?.value,
      directMapLast: directMap &+ (memoryEnd &+ gigabyte & ~(gigabyte - 1)) &- 1,
      imageSize: image.facts.imageSize?.value ?? gigabyte)
  }

  /// The direct map of kernels before 4.20, which lies where the LDT remap is today, and before 2.6.27
  /// in today's guard hole; nil for newer ones.
  ///
  /// Source: `__PAGE_OFFSET`, include/asm-x86/page_64.h, 2.6.26; later ones: `unmovedDirectMaps`.
  private func oldDirectMap(_ text: KernelText) -> UInt64? {
    let runs = text.space.runs
    guard !text.markers.contains(where: { $0.name == "LDT remap" }),
      let marker = text.markers.first(where: { $0.name == "Low Kernel Mapping" }),
      marker.run < runs.count, runs[marker.run].isLeaf
    else { return nil }
    let start = runs[marker.run].start
    let places = [0xffff_8100_0000_0000] + unmovedDirectMaps(text.space.mode)
    return places.contains(start) ? start : nil
  }

  /// VMALLOC_START as the tables show it: so far after the end of the direct map, which maps memory
  /// in its order.
  private func vmallocByShape(_ image: KernelImage) -> UInt64? {
    let mode = image.mode
    var at = mode.upperHalf
    var end = at
    while at - end < vmallocGuard, at < mode.top {
      guard case .leaf(let physical, let size) = image.walk(at).end else {
        at += mode.granule
        continue
      }
      guard physical == at - mode.upperHalf else { break }
      at = at & ~(size - 1) + size
      end = at
    }
    return end > mode.upperHalf ? end + vmallocGuard : nil
  }

  package func unknownLayout(_ format: TableFormat) -> Layout { .x86_64Fixed(mode: format) }

  /// The direct map starts with the kernel half's first leaf (its page 0 is always mapped), the
  /// other areas with their markers.
  package func layout(of text: KernelText) -> Layout {
    let mode = text.space.mode
    let runs = text.space.runs
    guard !imageIsInDirectMap else {
      let markers = text.markers.filter { $0.run < runs.count }.map {
        AddressMarker(start: runs[$0.run].start, name: $0.name)
      }
      return .i386(mode: mode, markers: markers, vmalloc: nil, nil)
    }
    let first = oldDirectMap(text) ?? mode.upperHalf &+ 17 * mode.root.span
    let gigabyte: UInt64 = ~0 << 30
    guard
      let index = runs.firstIndex(where: { $0.start >= first && $0.isLeaf })
        ?? runs.firstIndex(where: { $0.start >= mode.upperHalf && $0.isLeaf }),
      runs[index].start < Layout.cpuEntryArea
    else { return .x86_64Fixed(mode: mode) }
    let directMap = runs[index].start & gigabyte
    func start(_ name: String) -> UInt64? {
      guard let marker = text.markers.first(where: { $0.name == name }), marker.run < runs.count
      else { return nil }
      let start = runs[marker.run].start
      return start > directMap ? start & gigabyte : nil
    }
    if let vmalloc = start("vmalloc() Area"), let vmemmap = start("Vmemmap"), vmalloc < vmemmap,
      vmemmap < Layout.cpuEntryArea
    {
      return .x86_64(mode: mode, directMap: directMap, vmalloc: vmalloc, vmemmap: vmemmap)
    }
    // Without markers: up to a hole larger than what machines leave between their banks.
    let last =
      runs[index...].first { $0.kind == .hole && $0.size >= 1 << 38 }.map { $0.start &- 1 }
      ?? runs[index].last
    return .x86_64(
      mode: mode, directMap: directMap, vmalloc: nil, vmemmap: nil, directMapLast: last)
  }
}
