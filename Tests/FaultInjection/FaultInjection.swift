package import KernelImages
import MemoryImages
package import PageTableLint
package import PageTables
package import Support

/// One entry of the tables of a real image, and where it stands.
package struct Site {
  /// The first address below the entry.
  package let address: UInt64
  package let level: Int
  /// The physical address of the table.
  package let table: UInt64
  package let index: Int
  package let entry: UInt64
  /// The entries above it, from the top, and where they stand.
  package let above: [UInt64]
  package let way: [(table: UInt64, index: Int)]
  package let area: Area.Kind
  /// Whether the user's twin leads to the same table.
  package let isShared: Bool
  /// What the processor takes it for, and what its own bits allow.
  private let kind: EntryClass
  private let access: Access
  package let isGlobal: Bool
  package let frame: UInt64

  package var isPresent: Bool { kind != .invalid }
  package var isLeaf: Bool { kind == .leaf }
  package var isTable: Bool { kind == .table }
  package var isWritable: Bool { access.contains(.write) }
  package var isNoExecute: Bool { !access.contains(.executeInKernel) }
  package var isCode: Bool { isLeaf && !isWritable && !isNoExecute }

  init(
    _ entry: UInt64, at address: UInt64, level: Int, of table: UInt64, index: Int,
    below way: [(table: UInt64, index: Int, entry: UInt64)], in area: Area.Kind, isShared: Bool,
    _ mode: TableFormat
  ) {
    let its = mode.level(level)
    self.entry = entry
    self.address = address
    self.level = level
    self.table = table
    self.index = index
    above = way.map(\.entry)
    self.way = way.map { ($0.table, $0.index) }
    self.area = area
    self.isShared = isShared
    kind = its.classify(entry)
    access = (kind == .table ? its.tableRights : its.leafRights).access(entry)
    isGlobal = mode.isGlobal(entry)
    frame = (kind == .leaf ? its.leafField : mode.tableField).address(in: entry)
  }
}

/// A real image, healthy, in which one thing at a time is broken.
package final class Patient {
  package let name: String
  package let memory: PatchedImage
  package let image: KernelImage
  package let healthy: Linter.Report
  /// The kernel's half of the kernel's table, each entry once.
  package private(set) var sites: [Site] = []
  /// The same of the user's twin, under PTI: what is not shared.
  private(set) var twin: [Site] = []
  package let base: UInt64
  /// The process whose tables the processor uses.
  private(set) var process: KernelProcess?
  /// The entries of its user half, and the top entries of its kernel half.
  private(set) var processSites: [Site] = []

  package init(_ name: String) throws {
    self.name = name
    memory = PatchedImage(try Samples.image(name).memory)
    image = try KernelImage(memory)
    base = image.facts.directMap?.value ?? 0
    process =
      try Samples.process(image)
      ?? Samples.userRoot(name).map { KernelProcess(pid: 1, name: "init", root: $0) }
    healthy = Linter.run(Self.subject(image, process))
    var shared: Set<UInt64> = []
    if let user = image.userRoot {
      let own = try enumerate(user, shared: [])
      shared = Set(own.map(\.table))
      sites = try enumerate(image.root, shared: shared)
      let mine = Set(sites.map(\.table))
      twin = own.filter { !mine.contains($0.table) }
    } else {
      sites = try enumerate(image.root, shared: [])
    }
    if let process {
      processSites = try enumerate(process.root, shared: [], isProcess: true)
    }
  }

  private static func subject(_ image: KernelImage, _ process: KernelProcess?) -> Subject {
    var subject = Subject(image: image)
    subject.add([process].compactMap { $0 })
    return subject
  }

  /// What the rules see now.
  package var subject: Subject { Self.subject(image, process) }

  private func enumerate(_ root: UInt64, shared: Set<UInt64>, isProcess: Bool = false) throws
    -> [Site]
  {
    var found: [Site] = []
    var seen: Set<UInt64> = []
    let mode = image.mode(ofRoot: root)
    let layout = image.layout
    typealias Way = [(table: UInt64, index: Int, entry: UInt64)]
    func visit(_ table: UInt64, _ level: Int, _ start: UInt64, _ way: Way) throws {
      guard seen.insert(table).inserted else { return }
      var entries = mode.emptyTable(mode.level(level))
      try mode.readTable(at: table, from: memory, into: &entries)
      for (index, entry) in entries.enumerated() {
        let address = mode.canonical(start &+ UInt64(index) &* mode.level(level).span)
        let isUser = address < mode.upperHalf
        if level == mode.levels.count, isUser, !isProcess { continue }
        let site = Site(
          entry, at: address, level: level, of: table, index: index, below: way,
          in: layout.area(of: address).kind, isShared: shared.contains(table), mode)
        found.append(site)
        if site.isTable, isUser == isProcess {
          try visit(site.frame, level - 1, address, way + [(table, index, entry)])
        }
      }
    }
    try visit(root, mode.levels.count, mode.bottom, [])
    return found
  }

  var isIsolated: Bool { image.facts.pti?.value == true }

  func range(_ site: Site) -> ClosedRange<UInt64> {
    site.address...(site.address &+ (image.mode.level(site.level).span &- 1))
  }

  package func write(_ entry: UInt64, _ site: Site) throws {
    try memory.set(entry, at: site.index, of: site.table)
  }

  /// The address of a symbol of the kernel image.
  package func symbol(_ name: String) -> UInt64 { image.symbols?[name] ?? 0 }

  /// Whether the frame of a leaf lies between two symbols of the kernel image.
  func holds(_ site: Site, from: String, to: String) -> Bool {
    guard let first = image.walk(symbol(from)).physical else { return false }
    return site.frame >= first && site.frame < first &+ (symbol(to) &- symbol(from))
  }

  /// Whether the frame of a leaf is the kernel image's.
  func isOfImage(_ site: Site) -> Bool { image.imageFrames?.contains(site.frame) == true }

  func isMemory(_ frame: UInt64) -> Bool { image.isMemory(frame) }

  func isDevice(_ frame: UInt64) -> Bool {
    resources(at: frame).contains { $0.name.hasPrefix("PCI") || $0.name.hasPrefix("IOAPIC") }
      && !isMemory(frame)
  }

  /// Whether the machine's memory map has nothing but devices there, or nothing at all.
  func isNothing(_ frame: UInt64) -> Bool {
    resources(at: frame).allSatisfy { $0.name.hasPrefix("PCI") }
      && resources(at: frame | 0x1f_ffff).allSatisfy { $0.name.hasPrefix("PCI") }
  }

  private func resources(at frame: UInt64) -> [Resource] {
    (image.resources?.value ?? []).filter { $0.start <= frame && frame <= $0.last }
  }

  /// P, RW, A, D, and G where this kernel's leaves have it.
  var kernelFlags: UInt64 { isIsolated ? 0x63 : 0x163 }

  /// The frame that belongs to an address of the image's area.
  func imageFrame(_ address: UInt64) -> UInt64? {
    guard let first = image.walk(symbol("_text")).physical else { return nil }
    let below = symbol("_text") &- address
    if address < symbol("_text"), below > first { return nil }
    return first &- below
  }

  /// Frames of the image that have an owner and are no program's.
  private(set) lazy var imageFrames: [UInt64] = {
    guard let first = image.walk(symbol("_text")).physical else { return [] }
    let last = first &+ (symbol("__bss_start") &- symbol("_text"))
    return stride(from: first, to: last, by: 4096).filter { image.owner(ofTable: $0) != nil }
  }()

  /// Frames of page tables outside the image.
  private(set) lazy var tableFrames: [UInt64] = Set(sites.map(\.table)).filter {
    image.imageFrames?.contains($0) != true
  }.sorted()

  /// What the kernel's table has at a place of the user's.
  func kernelEntry(_ site: Site) -> UInt64? {
    image.walk(site.address).steps.first { $0.level == site.level }.flatMap {
      $0.entry & 1 != 0 ? $0.entry : nil
    }
  }

  /// The frames that something else than the direct map has, too.
  private(set) lazy var aliasedFrames: Set<UInt64> = Set(
    sites.lazy.filter { $0.isLeaf && $0.area != .directMap }.map(\.frame))

  /// Whether a leaf of the direct map has plain memory that nothing else maps and no rule leaves out.
  func isPlainMemory(_ site: Site) -> Bool {
    let size = image.mode.level(site.level).span
    return site.isLeaf && site.area == .directMap && site.isWritable && site.entry & 0x18 == 0
      && site.frame >= 1 << 20
      && stride(from: site.frame, to: site.frame + size, by: 4096).allSatisfy {
        isMemory($0) && image.imageFrames?.contains($0) != true && !aliasedFrames.contains($0)
      }
  }

  /// Write-back leaves of memory outside the direct map, by the size of the direct map's leaf.
  func aliases(large: Bool) -> [Site] {
    sites.filter { site in
      guard site.isLeaf, site.level == 1, site.area != .directMap, site.entry & 0x18 == 0,
        site.frame >= 1 << 20, isMemory(site.frame), !isOfImage(site),
        let direct = image.walk(base &+ site.frame).steps.last, direct.entry & 0x18 == 0
      else { return false }
      return (direct.level > 1) == large
    }
  }
}

/// A way of breaking one thing, which one rule must name.
package struct Injection {
  package let rule: String
  /// What is broken, for the table in docs.
  package let what: String
  /// Places where the change is a defect.
  package let places: (Patient) -> [Site]
  /// Whether the image has to keep the kernel's lists of vmalloc and its modules.
  package var needsLists = false
  /// Makes the change; returns the range that the rule must name, or nil where it makes none.
  package let change: (Patient, Site, inout SeededGenerator) throws -> ClosedRange<UInt64>?

  /// A change of several entries.
  init(
    _ rule: String, _ what: String, at places: @escaping (Patient) -> [Site],
    change: @escaping (Patient, Site, inout SeededGenerator) throws -> ClosedRange<UInt64>?
  ) {
    self.rule = rule
    self.what = what
    self.places = places
    self.change = change
  }

  /// A change of one entry, named by the range below it.
  init(
    _ rule: String, _ what: String, at places: @escaping (Patient) -> [Site],
    entry: @escaping (Patient, Site, inout SeededGenerator) -> UInt64?
  ) {
    self.rule = rule
    self.what = what
    self.places = places
    change = { patient, site, generator in
      guard let entry = entry(patient, site, &generator) else { return nil }
      try patient.write(entry, site)
      return patient.range(site)
    }
  }
}

extension Injection {
  private static let noExecute: UInt64 = 1 << 63
  static let frameMask: UInt64 = 0x000f_ffff_ffff_f000

  private static func isText(_ site: Site, _ patient: Patient) -> Bool {
    patient.holds(site, from: "_text", to: "_etext")
  }

  static func isReadOnly(_ site: Site, _ patient: Patient) -> Bool {
    isText(site, patient) || patient.holds(site, from: "__start_rodata", to: "__end_rodata")
  }

  /// A leaf with the frame of another one of its area and level.
  static func otherFrame(
    _ patient: Patient, _ site: Site, _ generator: inout SeededGenerator
  ) -> UInt64? {
    let others = patient.sites.filter {
      $0.isLeaf && $0.area == site.area && $0.level == site.level && $0.frame != site.frame
    }
    return others.randomElement(using: &generator).map { site.entry ^ site.frame | $0.frame }
  }

  private static let mapped: Set<Area.Kind> = [.directMap, .vmalloc, .vmemmap, .image]

  package static var all: [Injection] {
    unusable + misplaced + [
      Injection(
        "PT001", "NX of a writable leaf",
        at: { patient in
          patient.sites.filter { site in
            site.isLeaf && site.isWritable && site.isNoExecute && site.area != .directMap
              && site.area != .efi && !(site.area == .image && isText(site, patient))
          }
        }, entry: { _, site, _ in site.entry & ~noExecute }),
      Injection(
        "PT002", "RW of the direct map's alias of text or rodata",
        at: { patient in
          patient.sites.filter {
            $0.isLeaf && $0.area == .directMap && !$0.isWritable && isReadOnly($0, patient)
          }
        }, entry: { _, site, _ in site.entry | 2 }),
      Injection(
        "PT004", "NX of a direct-map leaf",
        at: { $0.sites.filter { $0.isLeaf && $0.area == .directMap && $0.isNoExecute } },
        entry: { _, site, _ in site.entry & ~noExecute }),
      Injection(
        "PT008", "RW of a leaf of text",
        at: { patient in
          patient.sites.filter { $0.isLeaf && $0.area == .image && isText($0, patient) }
        }, entry: { _, site, _ in site.entry | 2 }),
      Injection(
        "PT101", "US of a leaf below pointers that have it",
        at: { patient in
          patient.sites.filter { site in
            site.isLeaf && site.area != .user && site.above.allSatisfy { $0 & 4 != 0 }
              && site.entry & 4 == 0
          }
        }, entry: { _, site, _ in site.entry | 4 }),
      Injection(
        "PT106", "P of a leaf, with its frame left",
        at: { patient in
          patient.sites.filter {
            $0.isLeaf && $0.level == 1 && patient.isMemory($0.frame) && $0.frame != 0
          }
        }, entry: { _, site, _ in site.entry & ~0x101 }),
      Injection(
        "PT201", "G of a leaf among others that have it",
        at: { patient in
          patient.isIsolated
            ? []
            : patient.sites.filter { site in
              site.isLeaf && site.isGlobal && mapped.contains(site.area)
                && !(site.area == .directMap && site.level == 1
                  && (site.isWritable || !patient.isOfImage(site)))
                && site.area != .vmemmap
            }
        }, entry: { _, site, _ in site.entry & ~0x100 }),
      Injection(
        "PT203", "G of a leaf under PTI",
        at: { patient in
          !patient.isIsolated
            ? []
            : patient.sites.filter { site in
              site.isLeaf && !site.isGlobal
                && (site.area == .vmalloc || site.area == .vmemmap
                  || site.area == .directMap && !patient.isOfImage(site))
            }
        }, entry: { _, site, _ in site.entry | 0x100 }),
      Injection(
        "PT205", "G of a table pointer",
        at: { patient in
          patient.sites.filter { site in
            site.isTable && site.entry & 0x100 == 0
              && !(patient.isIsolated && (site.area == .image || site.area == .cpuEntryArea))
          }
        }, entry: { _, site, _ in site.entry | 0x100 }),
      Injection(
        "PT206", "P of a global leaf, with its frame inverted",
        at: { $0.sites.filter { $0.isLeaf && $0.level == 1 && $0.area != .cpuEntryArea } },
        entry: { _, site, _ in (site.entry ^ frameMask | 0x100) & ~1 }),
      Injection(
        "PT307", "RW, NX, PWT or PCD of a table pointer",
        at: { $0.sites.filter { $0.isTable && $0.area != .espfix } },
        entry: { _, site, generator in
          [2, 1 << 3, 1 << 4, noExecute].randomElement(using: &generator).map { site.entry ^ $0 }
        }),
      Injection(
        "PT501", "a reserved bit of a large leaf",
        at: { $0.sites.filter { $0.isLeaf && $0.level == 2 } },
        entry: { _, site, generator in
          site.entry | 1 << UInt64.random(in: 13...20, using: &generator)
        }),
      Injection(
        "PT502", "the frame of a table pointer, beyond memory",
        at: { $0.sites.filter(\.isTable) },
        entry: { _, site, generator in
          site.entry & ~frameMask
            | UInt64.random(in: 1 << 24..<1 << 26, using: &generator) << 12
        }),
      Injection(
        "PT504", "a table pointer, to a table of another place",
        at: { patient in
          patient.sites.filter { site in
            site.isTable && site.level < patient.image.mode.levels.count && site.area != .espfix
          }
        },
        entry: { patient, site, generator in
          let others = patient.sites.filter {
            $0.isTable && $0.level == site.level && $0.frame != site.frame && $0.area != .espfix
          }
          return others.randomElement(using: &generator).map { site.entry & ~frameMask | $0.frame }
        }),
      Injection(
        "PT505", "a table pointer, to a table above it",
        at: { $0.sites.filter(\.isTable) },
        entry: { patient, site, generator in
          let above = site.above.map { $0 & frameMask } + [patient.image.root]
          return above.randomElement(using: &generator).map { site.entry & ~frameMask | $0 }
        }),
      Injection(
        "PT506", "an empty entry, with a stray value",
        at: { $0.sites.filter { $0.level == 1 && $0.entry == 0 } },
        entry: { _, _, generator in
          // Text of a program, as an overrun leaves it: even, not global, and no frame of this machine.
          UInt64.random(in: 0x2020_2020...0x7e7e_7e7e, using: &generator) << 32 & ~(1 << 51)
            | 0x6d6f_6e72
        }),
      Injection(
        "PT507", "an entry, with a swap entry",
        at: { $0.sites.filter { $0.level == 1 && $0.entry == 0 } },
        entry: { _, _, generator in
          // __swp_entry(type, offset).
          (~UInt64.random(in: 1...1 << 20, using: &generator) << 14) >> 5
            | UInt64.random(in: 0...3, using: &generator) << 59
        }),
      Injection(
        "PT508", "bit 7 of an entry of the top level",
        at: { patient in
          patient.sites.filter { $0.isTable && $0.level >= 4 }
        }, entry: { _, site, _ in site.entry | 0x80 }),
      Injection(
        "PT601", "the frame of a direct-map leaf",
        at: { $0.sites.filter { $0.isLeaf && $0.area == .directMap } },
        entry: otherFrame),
      Injection(
        "PT005", "NX of a leaf of rodata",
        at: { patient in
          patient.sites.filter {
            $0.isLeaf && $0.area == .image && $0.isNoExecute && !$0.isWritable
              && patient.holds($0, from: "__start_rodata", to: "__end_rodata")
          }
        }, entry: { _, site, _ in site.entry & ~noExecute }),
      Injection(
        "PT006", "init memory: present again (PTI), or executable",
        at: { patient in
          let first = patient.symbol("__init_begin")
          let last = patient.symbol("__init_end")
          return patient.sites.filter {
            $0.area == .image && $0.level == 1 && $0.address >= first && $0.address < last
              && $0.entry != 0
          }
        },
        entry: { _, site, _ in
          site.isPresent ? site.entry & ~(noExecute | 2) : site.entry ^ frameMask | 1
        }),
      Injection(
        "PT007", "an empty entry of the image's area, with a leaf",
        at: { patient in
          patient.sites.filter { site in
            guard site.area == .image, site.level == 2, site.entry == 0 else { return false }
            return patient.imageFrame(site.address).map(patient.isMemory) == true
              && site.address < 0xffff_ffff_a000_0000
          }
        },
        entry: { patient, site, _ in
          patient.imageFrame(site.address).map { $0 | noExecute | patient.kernelFlags | 0x80 }
        }),
      Injection(
        "PT009", "a leaf of vmalloc, vmemmap or the cpu entry area: read-only and executable",
        at: { patient in
          patient.sites.filter { site in
            site.isLeaf && site.isNoExecute
              && [.vmalloc, .vmemmap, .cpuEntryArea].contains(site.area)
          }
        }, entry: { _, site, _ in site.entry & ~(noExecute | 2) }),
      Injection(
        "PT102", "a user leaf, to a frame of the kernel image",
        at: { patient in
          patient.processSites.filter { $0.isLeaf && $0.level == 1 && $0.isWritable }
        },
        entry: { patient, site, generator in
          patient.imageFrames.randomElement(using: &generator).map {
            site.entry & ~frameMask | $0
          }
        }),
      Injection(
        "PT103", "NX of a user entry of the top table under PTI",
        at: { patient in
          !patient.isIsolated
            ? []
            : patient.processSites.filter { site in
              site.isTable && site.level == patient.image.mode.levels.count && site.isNoExecute
            }
        }, entry: { _, site, _ in site.entry & ~noExecute }),
      Injection(
        "PT104", "an empty entry of the user's table under PTI, with the kernel's",
        at: { patient in
          patient.twin.filter { site in
            guard site.entry == 0 else { return false }
            if site.area == .directMap, site.level == 1 {
              return patient.isMemory(site.address - patient.base)
            }
            return site.area == .image && site.level == 2 && patient.kernelEntry(site) != nil
          }
        },
        entry: { patient, site, _ in patient.kernelEntry(site) }),
      Injection(
        "PT105", "a kernel entry of a process's top table",
        at: { patient in
          patient.processSites.filter { site in
            site.level == patient.image.mode.levels.count && site.isTable
              && site.address >= patient.image.mode.upperHalf && site.area != .ldtRemap
          }
        },
        entry: { _, site, generator in
          Bool.random(using: &generator) ? 0 : site.entry ^ 0x10_0000
        }),
      Injection(
        "PT107", "a user leaf, to the frame of a page table",
        at: { patient in patient.processSites.filter { $0.isLeaf && $0.level == 1 } },
        entry: { patient, site, generator in
          patient.tableFrames.randomElement(using: &generator).map {
            site.entry & ~frameMask | $0
          }
        }),
      Injection(
        "PT202", "G of all leaves of vmalloc or vmemmap",
        at: { patient in
          patient.isIsolated
            ? []
            : [Area.Kind.vmalloc, .vmemmap].compactMap { kind in
              patient.sites.first { $0.isLeaf && $0.area == kind }
            }
        },
        change: { patient, site, _ in
          for other in patient.sites where other.isLeaf && other.area == site.area {
            try patient.write(other.entry & ~0x100, other)
          }
          return patient.range(site)
        }),
      Injection(
        "PT204", "G of a user leaf",
        at: { patient in patient.processSites.filter { $0.isLeaf && $0.entry & 4 != 0 } },
        entry: { _, site, _ in site.entry | 0x100 }),
      Injection(
        "PT207", "G of a leaf of the user's table alone under PTI",
        at: { patient in patient.twin.filter { $0.isLeaf && $0.isGlobal } },
        entry: { _, site, _ in site.entry & ~0x100 }),
      Injection(
        "PT303", "PCD of a leaf of memory that a large page of the direct map covers",
        at: { $0.aliases(large: true) }, entry: { _, site, _ in site.entry | 1 << 4 }),
      Injection(
        "PT305", "RW of a 4K leaf of the direct map",
        at: { patient in
          patient.sites.filter { $0.level == 1 && patient.isPlainMemory($0) }
        }, entry: { _, site, _ in site.entry & ~2 }),
      Injection(
        "PT401", "PCD of a leaf of memory that a 4K page of the direct map covers",
        at: { $0.aliases(large: false) }, entry: { _, site, _ in site.entry | 1 << 4 }),
      Injection(
        "PT402", "PAT of a write-back leaf",
        at: { $0.sites.filter { $0.isLeaf && $0.entry & 0x18 == 0 && $0.level <= 2 } },
        entry: { _, site, _ in site.entry | (site.level == 1 ? 0x80 : 0x1000) }),
      Injection(
        "PT403", "PCD and PWT of a device's leaf",
        at: { patient in
          patient.sites.filter { $0.isLeaf && $0.entry & 0x18 != 0 && patient.isDevice($0.frame) }
        }, entry: { _, site, _ in site.entry & ~0x18 }),
      Injection(
        "PT602", "the frame of a leaf of the kernel image",
        at: { $0.sites.filter { $0.isLeaf && $0.area == .image } }, entry: otherFrame),
      Injection(
        "PT603", "an empty entry of the direct map over no memory, with a leaf",
        at: { patient in
          patient.sites.filter { site in
            guard site.area == .directMap, site.entry == 0, site.level <= 2 else { return false }
            let frame = site.address - patient.base
            return frame >= 1 << 20 && patient.isNothing(frame)
          }
        },
        entry: { patient, site, _ in
          (site.address - patient.base) | noExecute | patient.kernelFlags
            | (site.level > 1 ? 0x80 : 0)
        }),
      Injection(
        "PT604", "a leaf of the direct map, emptied",
        at: { patient in
          patient.sites.filter { $0.isLeaf && $0.area == .directMap && patient.isMemory($0.frame) }
        }, entry: { _, _, _ in 0 }),
      Injection(
        "PT605", "an entry of the guard hole, with a table",
        at: { patient in patient.sites.filter { $0.area == .guardHole && $0.entry == 0 } },
        change: { patient, site, generator in
          var address: UInt64 = 0x10000
          try patient.write(address | 0x63, site)
          for level in stride(from: site.level - 1, through: 1, by: -1) {
            var page = [UInt64](repeating: 0, count: 512)
            let index = Int.random(in: 0..<512, using: &generator)
            page[index] =
              level == 1 ? patient.kernelFlags | noExecute | 0x20_0000 : (address + 0x1000) | 0x63
            patient.memory.set(page: page, at: address)
            address += 0x1000
          }
          return patient.range(site)
        }),
    ]
  }
}
