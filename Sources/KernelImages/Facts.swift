package import KernelText
internal import MemoryImages
internal import PageTables

/// Something known of a kernel, and where it is known from.
package struct Fact<Value: Sendable & Equatable>: Sendable, Equatable {
  package let value: Value
  package let source: String

  package init(_ value: Value, _ source: String) {
    self.value = value
    self.source = source
  }
}

/// What is known of the kernel whose tables are judged; nil is unknown.
package struct KernelFacts: Sendable, Equatable {
  package var release: Fact<String>?
  /// Page-table isolation is in force.
  package var pti: Fact<Bool>?
  /// The no-execute bit is in use.
  package var nx: Fact<Bool>?
  /// The global bit is in use.
  package var pge: Fact<Bool>?
  package var xen: Fact<Bool>?
  package var directMap: Fact<UInt64>?
  package var vmalloc: Fact<UInt64>?
  package var vmemmap: Fact<UInt64>?
  package var physBase: Fact<UInt64>?
  package var kaslrOffset: Fact<UInt64>?
  package var imageSize: Fact<UInt64>?
  package var maxPfnMapped: Fact<UInt64>?
  package var smeMask: Fact<UInt64>?
  /// The kernel's own count of its direct map's leaves: of 4K, of the next and of the third size.
  package var directPages: Fact<[UInt64]>?
  package var root: Fact<UInt64>?

  package init() {}

  /// The number of the release.
  package var version: KernelVersion? {
    release.flatMap { KernelVersion(release: $0.value) }
  }

  /// Whether the kernel is that release or a later one; nil where it is not known.
  package func isAtLeast(_ major: Int, _ minor: Int, _ patch: Int = 0) -> Bool? {
    version.map { $0 >= KernelVersion(major, minor, patch) }
  }

  /// By name, as `info` and the JSON report list them.
  package var listed: [(name: String, value: String, source: String)] {
    func onOff(_ name: String, _ fact: Fact<Bool>?) -> (String, String, String)? {
      fact.map { (name, $0.value ? "on" : "off", $0.source) }
    }
    func address(_ name: String, _ fact: Fact<UInt64>?) -> (String, String, String)? {
      fact.map { (name, $0.value.address, $0.source) }
    }
    let all: [(String, String, String)?] = [
      release.map { ("release", $0.value, $0.source) },
      onOff("pti", pti), onOff("nx", nx), onOff("pge", pge), onOff("xen", xen),
      address("root", root), address("directMap", directMap), address("vmalloc", vmalloc),
      address("vmemmap", vmemmap), address("physBase", physBase),
      address("kaslrOffset", kaslrOffset), address("smeMask", smeMask),
      maxPfnMapped.map { ("maxPfnMapped", "\($0.value)", $0.source) },
    ]
    return all.compactMap { $0 }.map { (name: $0.0, value: $0.1, source: $0.2) }
  }
}

extension KernelFacts {
  /// Each fact from the best that an image tells.
  init(
    _ info: VMCoreInfo?, _ root: Root, _ values: [String: UInt64], _ symbols: Symbols?,
    _ reader: VirtualReader, cpu: KernelImage.CPUState?, problems: inout [String]
  ) {
    func variable(_ name: String) -> Fact<UInt64>? { values[name].map { Fact($0, name) } }
    self.root = Fact(root.address, root.source)
    takeNote(info)
    if release == nil { release = Self.banner(symbols, reader) }
    if root.mode.addressBits == 32 {
      directMap = Fact(root.imageOffset, "PAGE_OFFSET: from there the tables lead to themselves")
    } else {
      physBase = Fact(
        Root.imageBase &- root.imageOffset,
        info?["NUMBER(phys_base)"] == nil
          ? "where the image's first page lies" : info?.source ?? "")
      directMap =
        variable("page_offset_base")
        ?? Root.directMap(mode: root.mode, root: root.address, memory: reader.memory).map {
          Fact($0, "the tables: from there they lead to themselves")
        }
    }
    if let directMap,
      root.mode.walk(directMap.value &+ root.address, root: root.address, memory: reader.memory)
        .physical != root.address
    {
      problems.append(
        "the direct map from \(root.mode.text(directMap.value)) (\(directMap.source)) does not lead "
          + "back to the tables: a wrong base, or a damaged image")
    }
    let vmallocBase = variable("vmalloc_base")
    if let vmallocBase, let noted = vmalloc, vmallocBase.value != noted.value {
      problems.append("vmalloc_base and VMCOREINFO disagree: one of them is damaged")
    }
    vmalloc = vmalloc ?? vmallocBase
    vmemmap = vmemmap ?? variable("vmemmap_base")
    maxPfnMapped = variable("max_pfn_mapped")
    let counts = Variable.directPages.compactMap { values[$0] }
    if counts.count == Variable.directPages.count {
      directPages = Fact(counts, "direct_pages_count")
    }
    takeMasks(
      supported: variable("__supported_pte_mask"), kernel: variable("__default_kernel_pte_mask"),
      mode: root.mode)
    takeTables(root, cpu: cpu, memory: reader.memory)
  }

  private static func banner(_ symbols: Symbols?, _ reader: VirtualReader) -> Fact<String>? {
    guard let address = symbols?["linux_banner"], let bytes = reader.bytes(at: address, count: 128)
    else { return nil }
    let words = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).split(separator: " ")
    return words.count > 2 && words[0] == "Linux" ? Fact("\(words[2])", "linux_banner") : nil
  }

  /// Takes what the kernel's note says of itself.
  private mutating func takeNote(_ info: VMCoreInfo?) {
    guard let info else { return }
    func fact<Value>(_ value: Value?) -> Fact<Value>? { value.map { Fact($0, info.source) } }
    release = fact(info["OSRELEASE"])
    kaslrOffset = fact(info.hex("KERNELOFFSET"))
    vmalloc = fact(info.number("VMALLOC_START"))
    vmemmap = fact(info.symbol("vmemmap"))
    imageSize = fact(info.number("KERNEL_IMAGE_SIZE"))
    smeMask = fact(info.number("sme_mask"))
  }

  /// Takes what the kernel lets stand in its entries.
  ///
  /// Source: `probe_page_size_mask`, arch/x86/mm/init.c, 6.12.
  private mutating func takeMasks(
    supported: Fact<UInt64>?, kernel: Fact<UInt64>?, mode: TableFormat
  ) {
    if mode.noExecute == 0 { nx = Fact(false, "the paging mode has no such bit") }
    guard let supported else { return }
    nx = nx ?? Fact(supported.value & mode.noExecute != 0, supported.source)
    pge = Fact(supported.value & mode.global != 0, supported.source)
    if let kernel, supported.value & mode.global != 0 {
      let isolated = kernel.value & mode.global == 0
      pti = Fact(
        isolated, "\(kernel.source) \(isolated ? "leaves _PAGE_GLOBAL out" : "holds _PAGE_GLOBAL")")
    }
  }

  /// Takes what the tables and a processor tell, where nothing better did.
  private mutating func takeTables(
    _ root: Root, cpu: KernelImage.CPUState?, memory: any MemoryImage
  ) {
    let mode = root.mode
    if pge == nil, let cpu { pge = Fact(cpu.hasPGE, "CR4 (QEMU note)") }
    let entryArea: ClosedRange<UInt64> = 0xffff_fe00_0000_0000...0xffff_fe7f_ffff_ffff
    if nx == nil, let base = directMap?.value,
      let step = mode.walk(base, root: root.address, memory: memory).steps.last,
      step.effective & mode.noExecute != 0
    {
      nx = Fact(true, "the direct map has it")
    }
    // On 32 bits the cpu entry area's place depends on the configuration.
    if pti == nil, mode.addressBits > 32 { pti = isolation(root, entryArea, memory: memory) }
  }

  /// Whether a user's twin lies behind the root.
  ///
  /// It shares the cpu entry area and lacks the direct map. Under PTI each top table is the first of such a pair.
  ///
  /// Source: `pti_init`, arch/x86/mm/pti.c, 6.12.
  private func isolation(_ root: Root, _ area: ClosedRange<UInt64>, memory: any MemoryImage)
    -> Fact<Bool>?
  {
    let mode = root.mode
    if root.address & 0x1000 != 0 { return Fact(false, "the top table is no first of a pair") }
    guard let directMap = directMap?.value,
      let shared = mode.firstLeaf(
        from: area.lowerBound, through: area.upperBound, root: root.address, memory: memory)
    else { return nil }
    let twin = root.address | 0x1000
    let entryArea = mode.walk(shared.address, root: twin, memory: memory)
    if case .unreadable = entryArea.end { return nil }
    let isPair =
      entryArea.physical == shared.physical
      && mode.walk(directMap, root: twin, memory: memory).physical == nil
    return Fact(isPair, "the page behind the top table is \(isPair ? "" : "not ")the user's twin")
  }
}
