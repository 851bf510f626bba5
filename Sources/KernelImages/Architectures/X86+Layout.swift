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
    let modules = X86Plan.modules(image.facts.version)
    let memoryEnd = image.memory.ranges.last.map { $0.upperBound &+ 1 } ?? 0
    return .x86_64(
      mode: mode, directMap: directMap, vmalloc: image.facts.vmalloc?.value,
      vmemmap: image.facts.vmemmap?.value,
      directMapLast: directMap &+ (memoryEnd &+ gigabyte & ~(gigabyte - 1)) &- 1,
      imageSize: image.facts.imageSize?.value ?? modules.map { $0 &- Self.imageBase } ?? gigabyte)
  }

  /// The direct map's start where the text is of a kernel before 4.20, or has its own marker right.
  ///
  /// Today's LDT remap and guard hole lie where older kernels have their direct map. The text's marker
  /// decides, unless the dump was made before the kernel knew its areas; then what lies at an older
  /// place; then the release. Markers of 4.20 and later name the LDT remap first.
  private func markedDirectMap(_ text: KernelText, _ release: KernelVersion?) -> UInt64? {
    let runs = text.space.runs
    let mode = text.space.mode
    let marker = text.markers.firstIndex { $0.name == "Low Kernel Mapping" }
    let remap = text.markers.firstIndex { $0.name == "LDT remap" }
    if let marker {
      if let remap, remap < marker { return nil }
      let run = text.markers[marker].run
      if run < runs.count, runs[run].isLeaf, runs[run].start >= mode.upperHalf {
        return runs[run].start & Self.gigabytes
      }
    }
    let old = X86Plan.plans(mode, nil).filter { $0.before != nil }.map(\.directMap)
    // The first page of the direct map is writable; the LDT remap's are not.
    if remap == nil, let first = runs.first(where: { $0.start >= mode.upperHalf && $0.isLeaf }),
      old.contains(first.start), first.access.isWritable
    {
      return first.start
    }
    let plans = X86Plan.plans(mode, release)
    guard release != nil, let plan = plans.first, plans.allSatisfy({ $0.before != nil }) else {
      return nil
    }
    return plan.directMap
  }

  private static let gigabytes: UInt64 = ~0 << 30

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
  package func layout(of text: KernelText, release: String?) -> Layout {
    let mode = text.space.mode
    let runs = text.space.runs
    guard !imageIsInDirectMap else {
      let markers = text.markers.filter { $0.run < runs.count }.map {
        AddressMarker(start: runs[$0.run].start, name: $0.name)
      }
      return .i386(
        mode: mode, markers: markers, vmalloc: nil, nil, directMapLast: markedLast(text))
    }
    let version = release.flatMap { KernelVersion(release: $0) }
    let imageSize = imageSize(text, version)
    let first = markedDirectMap(text, version) ?? mode.upperHalf &+ 17 * mode.root.span
    guard
      let index = runs.firstIndex(where: { $0.start >= first && $0.isLeaf })
        ?? runs.firstIndex(where: { $0.start >= mode.upperHalf && $0.isLeaf }),
      runs[index].start < Layout.cpuEntryArea
    else { return .x86_64Fixed(mode: mode, imageSize: imageSize) }
    let directMap = runs[index].start & Self.gigabytes
    func start(_ name: String) -> UInt64? {
      guard let marker = text.markers.first(where: { $0.name == name }), marker.run < runs.count
      else { return nil }
      let start = runs[marker.run].start
      return start > directMap ? start & Self.gigabytes : nil
    }
    if let vmalloc = start("vmalloc() Area"), let vmemmap = start("Vmemmap"), vmalloc < vmemmap,
      vmemmap < Layout.cpuEntryArea
    {
      return .x86_64(
        mode: mode, directMap: directMap, vmalloc: vmalloc, vmemmap: vmemmap, imageSize: imageSize)
    }
    if let plan = unmovedPlan(text, directMap: directMap, version) {
      return .x86_64(
        mode: mode, directMap: directMap, vmalloc: plan.vmalloc, vmemmap: plan.vmemmap,
        imageSize: imageSize)
    }
    // Without markers: up to a hole larger than what machines leave between their banks.
    let last =
      runs[index...].first { $0.kind == .hole && $0.size >= 1 << 38 }.map { $0.start &- 1 }
      ?? runs[index].last
    return .x86_64(
      mode: mode, directMap: directMap, vmalloc: nil, vmemmap: nil, directMapLast: last,
      imageSize: imageSize)
  }

  /// The plan of a kernel before 4.20 whose direct map is where no KASLR put it, and with it the rest.
  ///
  /// Of two that have it there, the older one where something lies in its vmalloc area alone.
  private func unmovedPlan(
    _ text: KernelText, directMap: UInt64, _ release: KernelVersion?
  ) -> X86Plan? {
    let plans = X86Plan.plans(text.space.mode, release).filter {
      $0.before != nil && $0.directMap == directMap
    }
    guard plans.count > 1, let old = plans.first, let new = plans.last else { return plans.first }
    let isOld = text.space.runs(from: old.vmalloc, through: new.vmalloc - 1).contains(
      where: \.isLeaf)
    return isOld ? old : new
  }

  /// How far the lines after the marker of the direct map follow each other, on 32 bits; nil without
  /// it.
  private func markedLast(_ text: KernelText) -> UInt64? {
    let runs = text.space.runs
    guard let index = text.markers.firstIndex(where: { $0.name == "Kernel Mapping" }) else {
      return nil
    }
    let next = index + 1 < text.markers.count ? text.markers[index + 1].run : runs.count
    var last: UInt64?
    for run in runs[min(text.markers[index].run, runs.count)..<min(next, runs.count)] {
      guard last.map({ run.start == $0 &+ 1 }) ?? (run.start == text.space.mode.upperHalf) else {
        break
      }
      last = run.last
    }
    return last
  }

  /// The space of the image, by the marker of the modules after it, else by the release.
  private func imageSize(_ text: KernelText, _ release: KernelVersion?) -> UInt64 {
    let whole: UInt64 = 1 << 30
    let base = Self.imageBase
    let marker = text.markers.first { $0.name == "Modules" }
    if let marker, marker.run < text.space.runs.count {
      let start = text.space.runs[marker.run].start
      return start >= base &+ (256 << 20) && start < base &+ whole ? 512 << 20 : whole
    }
    return X86Plan.modules(release).map { $0 &- base } ?? whole
  }
}
