import KernelImages
import PageTables
import Support

extension Injection {
  /// What lies where it may not lie, or is missing or protected where it may not be.
  static var misplaced: [Injection] {
    directMap + aliases + pageArray + entryAreas + listed
  }

  private static var directMap: [Injection] {
    [
      Injection(
        "PT305", "RW of all leaves of a table of the direct map",
        at: { patient in
          let tables = Dictionary(grouping: patient.sites.filter { $0.level == 1 }, by: \.table)
          return tables.values.filter { $0.allSatisfy(patient.isPlainMemory) }.map { $0[0] }
            .sorted { $0.address < $1.address }
        },
        change: { patient, site, _ in
          let leaves = patient.sites.filter { $0.table == site.table }
          for leaf in leaves { try patient.write(leaf.entry & ~2, leaf) }
          return site.address...(site.address + 0x1f_ffff)
        }),
      Injection(
        "PT305", "RW of a 2M leaf of the direct map",
        at: { patient in patient.sites.filter { $0.level == 2 && patient.isPlainMemory($0) } },
        entry: { _, site, _ in site.entry & ~2 }),
      Injection(
        "PT305", "PCD of a 2M leaf of the direct map without another mapping",
        at: { patient in patient.sites.filter { $0.level == 2 && patient.isPlainMemory($0) } },
        entry: { _, site, _ in site.entry | 1 << 4 }),
      Injection(
        "PT601", "the frame of a direct-map leaf, beyond memory",
        at: { $0.sites.filter { $0.isLeaf && $0.area == .directMap } },
        entry: { _, site, _ in site.entry ^ 1 << 36 }),
      Injection(
        "PT604", "a pointer to 1 GiB of the direct map, emptied",
        at: { $0.sites.filter { $0.isTable && $0.area == .directMap && $0.level == 3 } },
        entry: { _, _, _ in 0 }),
    ]
  }

  private static var aliases: [Injection] {
    func places(_ patient: Patient) -> [Site] {
      patient.sites.filter {
        $0.isLeaf && $0.level == 1 && $0.isWritable && $0.area == .vmalloc && $0.entry & 0x18 == 0
      }
    }
    // What text_poke left there, before 5.1 and its own table.
    func unusedFixmap(_ patient: Patient) -> [Site] {
      patient.sites.filter { $0.level == 1 && $0.area == .fixmap && $0.entry == 0 }
    }
    func readOnly(_ patient: Patient, _ generator: inout SeededGenerator) -> UInt64? {
      patient.sites.filter {
        $0.isLeaf && $0.area == .image && !$0.isWritable && isReadOnly($0, patient)
      }.randomElement(using: &generator)?.frame
    }
    return [
      Injection(
        "PT002", "a writable leaf of vmalloc, to a frame of text or rodata", at: places,
        entry: { patient, site, generator in
          readOnly(patient, &generator).map { site.entry & ~frameMask | $0 }
        }),
      Injection(
        "PT002", "a writable leaf of the fixmap, to a frame of text or rodata", at: unusedFixmap,
        entry: { patient, _, generator in
          readOnly(patient, &generator).map { 1 << 63 | patient.kernelFlags | $0 }
        }),
      Injection(
        "PT014", "a writable leaf of vmalloc, to the frame of a page table", at: places,
        entry: { patient, site, generator in
          patient.tableFrames.randomElement(using: &generator).map {
            site.entry & ~frameMask | $0
          }
        }),
      Injection(
        "PT014", "a writable leaf of the fixmap, to the frame of a page table", at: unusedFixmap,
        entry: { patient, _, generator in
          patient.tableFrames.randomElement(using: &generator).map {
            1 << 63 | patient.kernelFlags | $0
          }
        }),
    ]
  }

  private static var pageArray: [Injection] {
    func leaves(_ patient: Patient) -> [Site] {
      patient.sites.filter { $0.isLeaf && $0.area == .vmemmap }
    }
    return [
      Injection(
        "PT609", "RW of a leaf of vmemmap", at: leaves, entry: { _, site, _ in site.entry & ~2 }),
      Injection("PT609", "a leaf of vmemmap, emptied", at: leaves, entry: { _, _, _ in 0 }),
      Injection(
        "PT609", "a leaf of vmemmap, to a frame of the kernel image",
        at: leaves,
        entry: { patient, site, generator in
          patient.imageFrames.randomElement(using: &generator).map {
            site.entry & ~frameMask | $0 & ~(patient.image.mode.level(site.level).span - 1)
          }
        }),
    ]
  }

  private static var entryAreas: [Injection] {
    func leaves(_ patient: Patient) -> [Site] {
      patient.sites.filter { $0.isLeaf && $0.area == .cpuEntryArea }
    }
    return [
      Injection(
        "PT611", "RW of a leaf of the cpu entry area", at: leaves,
        entry: { _, site, _ in site.entry ^ 2 }),
      Injection(
        "PT611", "a leaf of the cpu entry area, emptied", at: leaves, entry: { _, _, _ in 0 }),
      Injection(
        "PT611", "the frame of a leaf of the cpu entry area", at: leaves, entry: otherFrame),
    ]
  }

  private static var listed: [Injection] {
    func leaves(_ kinds: Area.Kind...) -> (Patient) -> [Site] {
      { patient in
        let pages = patient.image.vmallocPages()?.pieces ?? []
        return patient.sites.filter { site in
          site.isLeaf && kinds.contains(site.area)
            && pages.contains { $0.start <= site.address && site.address <= $0.last }
        }
      }
    }
    func text(_ patient: Patient) -> [Site] {
      let texts = patient.image.moduleTexts() ?? []
      return patient.sites.filter { site in
        site.isLeaf && texts.contains { $0.range.contains(site.address) }
      }
    }
    var found = [
      Injection(
        "PT612", "the frame of a leaf of vmalloc, to another page of vmalloc", at: leaves(.vmalloc),
        entry: otherFrame),
      Injection(
        "PT612", "the frame of a leaf of vmalloc, beyond memory",
        at: leaves(.vmalloc), entry: { _, site, _ in site.entry ^ 1 << 36 }),
      Injection(
        "PT612", "a leaf of vmalloc, emptied", at: leaves(.vmalloc), entry: { _, _, _ in 0 }),
      Injection(
        "PT612", "the frame of a leaf of module text, to another of the modules area", at: text,
        entry: otherFrame),
      Injection("PT612", "a leaf of module text, emptied", at: text, entry: { _, _, _ in 0 }),
      Injection("PT010", "NX of a leaf of module text", at: text) { _, site, _ in
        site.entry | 1 << 63
      },
    ]
    for index in found.indices { found[index].needsLists = true }
    return found
  }
}
