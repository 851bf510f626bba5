import KernelImages
import PageTables
import Support

/// Realistic corruption of arm64's tables; each kind is one rule's.
extension Injection {
  private enum Bit {
    static let user: UInt64 = 1 << 6
    static let readOnly: UInt64 = 1 << 7
    static let sharing: UInt64 = 3 << 8
    static let accessed: UInt64 = 1 << 10
    static let notGlobal: UInt64 = 1 << 11
    static let guarded: UInt64 = 1 << 50
    static let modifier: UInt64 = 1 << 51
    static let contiguous: UInt64 = 1 << 52
    static let noExecute: UInt64 = 1 << 53
    static let noUserExecute: UInt64 = 1 << 54
    static let tableNoExecute: UInt64 = 1 << 59
    static let tableNoUserExecute: UInt64 = 1 << 60
    static let type: UInt64 = 7 << 2
  }

  package static var arm64: [Injection] {
    protections + users + attributes + structure + places + lists
  }

  private static func isText(_ site: Site, _ patient: Patient) -> Bool {
    patient.holds(site, from: "_stext", to: "_etext")
  }

  private static func isRodata(_ site: Site, _ patient: Patient) -> Bool {
    patient.holds(site, from: "__start_rodata", to: "__init_begin")
  }

  private static func leaves(
    _ areas: Area.Kind..., where isMeant: @escaping (Site, Patient) -> Bool = { _, _ in true }
  ) -> (Patient) -> [Site] {
    { patient in
      patient.sites.filter { site in
        site.isLeaf && (areas.isEmpty || areas.contains(site.area)) && isMeant(site, patient)
      }
    }
  }

  private static func isDevice(_ site: Site) -> Bool {
    site.entry & Bit.type >= 3 << 2
  }

  private static func frame(_ entry: UInt64, _ site: Site, _ frame: UInt64, _ patient: Patient)
    -> UInt64
  {
    let level = patient.image.mode.level(site.level)
    let field = site.isLeaf ? level.leafField : patient.image.mode.tableField
    return entry & ~field.mask | field.entry(for: frame)
  }

  /// Takes `bits` from the pointers above a site, and writes its entry.
  private static func below(
    _ rule: String, _ what: String, without bits: UInt64,
    at places: @escaping (Patient) -> [Site], entry: @escaping (Site) -> UInt64
  ) -> Injection {
    Injection(
      rule, what, at: places,
      change: { patient, site, _ in
        for (place, above) in zip(site.way, site.above) where above & bits != 0 {
          try patient.memory.set(above & ~bits, at: place.index, of: place.table)
        }
        try patient.write(entry(site), site)
        return patient.range(site)
      })
  }

  private static var protections: [Injection] {
    [
      Injection(
        "PT001", "PXN of a writable leaf of vmalloc or the image",
        at: leaves(.vmalloc, .image) { site, patient in
          site.isWritable && site.isNoExecute && !isDevice(site) && !isText(site, patient)
            && !isRodata(site, patient)
            && site.above.allSatisfy { $0 & Bit.tableNoExecute == 0 }
        }, entry: { _, site, _ in site.entry & ~Bit.noExecute }),
      Injection(
        "PT002", "the direct map's alias of text or rodata, writable",
        at: leaves(.directMap) { site, patient in
          !site.isWritable && (isText(site, patient) || isRodata(site, patient))
        }, entry: { _, site, _ in site.entry & ~Bit.readOnly | Bit.modifier }),
      Injection(
        "PT003", "the direct map's alias of BPF programs' memory, writable",
        at: { patient in
          let code = patient.sites.filter {
            $0.area == .vmalloc && $0.isCode
          }.map { site in site.frame...(site.frame + patient.image.mode.level(site.level).span - 1)
          }
          return patient.sites.filter { site in
            site.isLeaf && site.area == .directMap && !site.isWritable
              && code.contains { $0.contains(site.frame) }
          }
        }, entry: { _, site, _ in site.entry & ~Bit.readOnly | Bit.modifier }),
      below(
        "PT004", "PXN of a leaf of the direct map and of all above it", without: Bit.tableNoExecute,
        at: leaves(.directMap), entry: { $0.entry & ~Bit.noExecute }),
      Injection(
        "PT005", "PXN of a leaf of rodata",
        at: leaves(.image) { site, patient in isRodata(site, patient) },
        entry: { _, site, _ in site.entry & ~Bit.noExecute }),
      Injection(
        "PT008", "a leaf of text, writable", at: leaves(.image, where: isText),
        entry: { _, site, _ in site.entry & ~Bit.readOnly | Bit.modifier }),
      Injection(
        "PT010", "text of the image, emptied", at: leaves(.image, where: isText),
        entry: { _, _, _ in 0 }),
      Injection(
        "PT010", "PXN of a leaf of text", at: leaves(.image, where: isText),
        entry: { _, site, _ in site.entry | Bit.noExecute }),
      Injection(
        "PT010", "rodata of the image, emptied",
        at: leaves(.image) { $1.holds($0, from: "__start_rodata", to: "__end_rodata") },
        entry: { _, _, _ in 0 }),
      Injection(
        "PT010", "data of the image, emptied",
        at: leaves(.image) { $1.holds($0, from: "_sdata", to: "_edata") }, entry: { _, _, _ in 0 }),
      Injection(
        "PT010", "data or bss of the image, read-only",
        at: leaves(.image) {
          $1.holds($0, from: "_sdata", to: "_edata")
            || $1.holds($0, from: "__bss_start", to: "__bss_stop")
        }, entry: { _, site, _ in site.entry & ~Bit.modifier | Bit.readOnly }),
      Injection(
        "PT015", "DBM of a read-only leaf",
        at: leaves(.directMap, .image) { site, _ in !site.isWritable },
        entry: { _, site, _ in site.entry | Bit.modifier }),
    ]
  }

  private static var users: [Injection] {
    [
      Injection(
        "PT101", "a leaf open to user mode", at: leaves(),
        entry: { _, site, _ in site.entry | Bit.user }),
      Injection(
        "PT102", "a user leaf, to a frame of the kernel image",
        at: { $0.processSites.filter { $0.isLeaf && $0.level == 1 && $0.isWritable } },
        entry: { patient, site, generator in
          patient.imageFrames.randomElement(using: &generator).map {
            frame(site.entry, site, $0, patient)
          }
        }),
      Injection(
        "PT107", "a user leaf, to the frame of a page table",
        at: { $0.processSites.filter { $0.isLeaf && $0.level == 1 } },
        entry: { patient, site, generator in
          patient.tableFrames.randomElement(using: &generator).map {
            frame(site.entry, site, $0, patient)
          }
        }),
      below(
        "PT109", "UXN of a leaf and of all above it", without: Bit.tableNoUserExecute,
        at: leaves(), entry: { $0.entry & ~Bit.noUserExecute }),
      below(
        "PT110", "PXN of a user leaf and of all above it", without: Bit.tableNoExecute,
        at: { $0.processSites.filter(\.isLeaf) }, entry: { $0.entry & ~Bit.noExecute }),
      Injection(
        "PT111", "an empty entry beside the trampoline in its table, with a leaf",
        at: { $0.twin.filter { $0.level == 1 && $0.entry == 0 } },
        entry: { patient, site, generator in
          patient.sites.filter { $0.isLeaf && $0.level == 1 && $0.area == .image }
            .randomElement(using: &generator).map { $0.entry & ~Bit.contiguous }
        }),
      Injection(
        "PT111", "an empty entry of the trampoline's top table, with the kernel's",
        at: { patient in
          patient.twin.filter {
            $0.level == patient.image.mode.levels.count && $0.entry == 0
              && patient.kernelEntry($0) != nil
          }
        }, entry: { patient, site, _ in patient.kernelEntry(site) }),
      Injection(
        "PT111", "the trampoline in its table, emptied", at: { $0.twin.filter(\.isLeaf) },
        entry: { _, _, _ in 0 }),
      Injection(
        "PT111", "the trampoline's frame in its table", at: { $0.twin.filter(\.isLeaf) },
        entry: { _, site, _ in site.entry ^ 0x80_0000 }),
    ]
  }

  private static var attributes: [Injection] {
    let flips: [Injection] = [
      Injection(
        "PT112", "GP of a leaf of text", at: leaves(.image, where: isText),
        entry: { _, site, _ in site.entry ^ Bit.guarded }),
      Injection(
        "PT209", "nG of a leaf", at: leaves(), entry: { _, site, _ in site.entry ^ Bit.notGlobal }),
      Injection(
        "PT310", "the contiguous bit of a leaf", at: leaves(),
        entry: { _, site, _ in site.entry ^ Bit.contiguous }),
      Injection(
        "PT311", "an APTable bit of a table pointer", at: { $0.sites.filter(\.isTable) },
        entry: { _, site, generator in
          site.entry | 1 << UInt64.random(in: 61...62, using: &generator)
        }),
      Injection(
        "PT404", "a leaf of a device, read-only and without PXN",
        at: leaves(.vmalloc) { site, _ in isDevice(site) },
        entry: { _, site, _ in
          site.entry & ~(Bit.noExecute | Bit.modifier) | Bit.readOnly
        }),
      Injection(
        "PT405", "the type of memory of a leaf of the direct map", at: leaves(.directMap),
        entry: { _, site, generator in
          site.entry & ~Bit.type | UInt64.random(in: 2...7, using: &generator) << 2
        }),
    ]
    return flips + [
      Injection(
        "PT406", "a tagged leaf of the direct map, untagged",
        at: leaves(.directMap) { site, _ in site.entry & Bit.type == 1 << 2 },
        entry: { _, site, _ in site.entry & ~Bit.type }),
      Injection(
        "PT407", "the sharing of a leaf of memory",
        at: leaves { site, patient in
          !isDevice(site) && patient.image.mode.attributes.contains { $0.set == "SHD" }
        },
        entry: { _, site, generator in
          site.entry & ~Bit.sharing | UInt64.random(in: 0...2, using: &generator) << 8
        }),
      Injection(
        "PT511", "AF of a leaf", at: leaves(), entry: { _, site, _ in site.entry & ~Bit.accessed }),
    ]
  }

  private static var structure: [Injection] {
    [
      Injection(
        "PT501", "a reserved bit of a block",
        at: leaves { site, _ in site.level == 2 },
        entry: { patient, site, generator in
          let bits = patient.image.mode.level(2).reservedInLeaf
          return (0..<64).filter { bits >> UInt64($0) & 1 == 1 }.randomElement(using: &generator)
            .map { site.entry | 1 << UInt64($0) }
        }),
      Injection(
        "PT502", "the frame of a table pointer, beyond memory", at: { $0.sites.filter(\.isTable) },
        entry: { patient, site, generator in
          frame(
            site.entry, site, UInt64.random(in: 1 << 25..<1 << 27, using: &generator) << 16, patient
          )
        }),
      Injection(
        "PT504", "a table pointer, to a table of another place",
        at: { patient in
          patient.sites.filter { $0.isTable && $0.level < patient.image.mode.levels.count }
        },
        entry: { patient, site, generator in
          patient.sites.filter { $0.isTable && $0.level == site.level && $0.frame != site.frame }
            .randomElement(using: &generator).map { frame(site.entry, site, $0.frame, patient) }
        }),
      Injection(
        "PT505", "a table pointer, to a table above it", at: { $0.sites.filter(\.isTable) },
        entry: { patient, site, generator in
          (site.way.map(\.table) + [site.table]).randomElement(using: &generator).map {
            frame(site.entry, site, $0, patient)
          }
        }),
      Injection(
        "PT510", "the valid bit of a leaf of vmalloc or the direct map",
        at: leaves(.vmalloc, .directMap), entry: { _, site, _ in site.entry & ~1 }),
      Injection(
        "PT510", "an empty entry of vmalloc, with a stray value",
        at: { $0.sites.filter { $0.area == .vmalloc && $0.level == 1 && $0.entry == 0 } },
        entry: { _, _, generator in
          UInt64.random(in: 0x2020_2020...0x7e7e_7e7e, using: &generator) << 32 | 0x6d6f_6e72
        }),
    ]
  }

  private static var places: [Injection] {
    [
      Injection(
        "PT014", "a writable leaf of vmalloc, to the frame of a page table",
        at: leaves(.vmalloc) { site, _ in site.level == 1 && site.isWritable && !isDevice(site) },
        entry: { patient, site, generator in
          patient.tableFrames.randomElement(using: &generator).map {
            frame(site.entry, site, $0, patient)
          }
        }),
      Injection(
        "PT305", "a writable leaf of the direct map without another mapping, read-only",
        at: leaves(.directMap) { site, patient in patient.isPlainMemory(site) },
        entry: { _, site, _ in site.entry & ~Bit.modifier | Bit.readOnly }),
      Injection(
        "PT401", "a leaf of vmalloc, to a type of devices",
        at: { patient in
          patient.aliases(large: false).filter { $0.area == .vmalloc && $0.isNoExecute }
        }, entry: { _, site, _ in site.entry & ~Bit.type | 3 << 2 }),
      Injection(
        "PT601", "the frame of a leaf of the direct map", at: leaves(.directMap),
        entry: { patient, site, generator in
          patient.sites.filter {
            $0.isLeaf && $0.area == .directMap && $0.level == site.level && $0.frame != site.frame
          }.randomElement(using: &generator).map { frame(site.entry, site, $0.frame, patient) }
        }),
      Injection(
        "PT602", "the frame of a leaf of the image", at: leaves(.image),
        entry: { patient, site, generator in
          patient.sites.filter {
            $0.isLeaf && $0.area == .image && $0.level == site.level && $0.frame != site.frame
          }.randomElement(using: &generator).map { frame(site.entry, site, $0.frame, patient) }
        }),
      Injection(
        "PT603", "an empty entry of the direct map over no memory, with a block",
        at: { patient in
          patient.sites.filter { site in
            site.area == .directMap && site.entry == 0 && site.level > 1
              && patient.image.mode.level(site.level).mayBeLeaf
              && site.address &- patient.base < 1 << 40
              && patient.isNothing(site.address &- patient.base)
          }
        },
        entry: { patient, site, _ in
          patient.sites.first { $0.isLeaf && $0.area == .directMap && $0.level == 1 }.map {
            let template = $0.entry & ~(Bit.contiguous | 2)
            let levels = patient.image.mode
            return template & ~levels.level(1).leafField.mask
              | levels.level(site.level).leafField.entry(for: site.address &- patient.base)
          }
        }),
      Injection(
        "PT604", "a leaf of the direct map, emptied", at: leaves(.directMap),
        entry: { _, _, _ in 0 }),
      Injection(
        "PT609", "a leaf of vmemmap, emptied", at: leaves(.vmemmap), entry: { _, _, _ in 0 }),
      Injection(
        "PT609", "a leaf of vmemmap, read-only", at: leaves(.vmemmap),
        entry: { _, site, _ in site.entry & ~Bit.modifier | Bit.readOnly }),
      Injection(
        "PT609", "a leaf of vmemmap, to a frame of the kernel image", at: leaves(.vmemmap),
        entry: { patient, site, generator in
          patient.imageFrames.randomElement(using: &generator).map {
            frame(
              site.entry, site, $0 & ~(patient.image.mode.level(site.level).span - 1), patient)
          }
        }),
    ]
  }

  private static var lists: [Injection] {
    func listed(_ patient: Patient) -> [Site] {
      let pages = patient.image.vmallocPages()?.pieces ?? []
      return patient.sites.filter { site in
        site.isLeaf && site.area == .vmalloc
          && pages.contains { $0.start <= site.address && site.address <= $0.last }
      }
    }
    return [
      Injection(
        "PT612", "the frame of a leaf of vmalloc, to another page of vmalloc", at: listed,
        entry: { patient, site, generator in
          patient.sites.filter {
            $0.isLeaf && $0.area == .vmalloc && $0.level == site.level && $0.frame != site.frame
              && isDevice($0) == isDevice(site)
          }.randomElement(using: &generator).map { frame(site.entry, site, $0.frame, patient) }
        }),
      Injection("PT612", "a leaf of vmalloc, emptied", at: listed, entry: { _, _, _ in 0 }),
    ]
  }
}
