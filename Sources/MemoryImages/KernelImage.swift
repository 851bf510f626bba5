package import PageTables

/// A memory image with what is known of the kernel inside it.
package struct KernelImage: Sendable {
  package let memory: ELFImage
  package let mode: PagingMode
  /// The physical address of the kernel's top table.
  package let root: UInt64
  package let facts: KernelFacts
  package let symbols: Symbols?
  package let log: Fact<String>?
  package let vmcoreinfo: [String: String]
  package let cpus: [CPUState]
  /// What could not be read of what the image should hold.
  package let problems: [String]

  /// A processor's control registers from QEMU's note.
  package struct CPUState: Sendable, Equatable {
    package let cr3: UInt64
    package let cr4: UInt64
    package var fiveLevel: Bool { cr4 & (1 << 12) != 0 }
  }

  private static let imageBase: UInt64 = 0xffff_ffff_8000_0000
  /// The variables whose values facts come from, and which an extract keeps as values.
  package static let variables = [
    "page_offset_base", "vmalloc_base", "vmemmap_base", "__supported_pte_mask",
    "__default_kernel_pte_mask", "max_pfn_mapped",
  ]

  /// - Parameters:
  ///   - mode: overrides the mode that the image tells.
  ///   - root: overrides the root, physical.
  package init(_ memory: ELFImage, mode forced: PagingMode? = nil, root forcedRoot: UInt64? = nil)
    throws(ImageError)
  {
    self.memory = memory
    var problems = memory.damage
    var facts = KernelFacts()
    let extract = Extract.contents(of: memory)
    problems += extract?.problems ?? []
    let info = Self.vmcoreinfo(memory)
    vmcoreinfo = info
    cpus = memory.notes.filter { $0.name == "QEMU" }.compactMap { note in
      guard let cr3 = note.bytes.u64(at: 416), let cr4 = note.bytes.u64(at: 424) else { return nil }
      return CPUState(cr3: cr3, cr4: cr4)
    }
    func hex(_ key: String) -> UInt64? { info[key].flatMap { UInt64(hexText: $0) } }
    func decimal(_ key: String) -> UInt64? {
      info[key].flatMap { Int64($0) }.map { UInt64(bitPattern: $0) }
    }
    let note = "VMCOREINFO"
    facts.release = info["OSRELEASE"].map { Fact($0, note) }
    facts.physBase = decimal("NUMBER(phys_base)").map { Fact($0, note) }
    facts.kaslrOffset = hex("KERNELOFFSET").map { Fact($0, note) }
    facts.vmalloc = hex("NUMBER(VMALLOC_START)").map { Fact($0, note) }
    facts.vmemmap = hex("SYMBOL(vmemmap)").map { Fact($0, note) }
    facts.imageSize = decimal("NUMBER(KERNEL_IMAGE_SIZE)").map { Fact($0, note) }
    facts.smeMask = decimal("NUMBER(sme_mask)").map { Fact($0, note) }

    // The mode, then the root, each from the best that the image tells.
    let fiveLevel: Bool
    if let number = decimal("NUMBER(pgtable_l5_enabled)") {
      fiveLevel = number == 1
    } else {
      fiveLevel = cpus.first?.fiveLevel ?? false
    }
    let mode = forced ?? (fiveLevel ? .x86_64FiveLevel : .x86_64)
    self.mode = mode
    if let swapper = hex("SYMBOL(swapper_pg_dir)"), let base = facts.physBase {
      facts.root = Fact(swapper &- Self.imageBase &+ base.value, "VMCOREINFO swapper_pg_dir")
    } else if let cpu = cpus.first {
      facts.root = Fact(cpu.cr3 & 0x000f_ffff_ffff_e000, "CR3 of the first CPU (QEMU note)")
    }
    if let forcedRoot { facts.root = Fact(forcedRoot, "--table") }
    guard let root = facts.root?.value else {
      throw ImageError(
        memory.path, "no VMCOREINFO and no CPU note tells where the page tables are",
        advice: "give the physical address of the top table with --table")
    }
    self.root = root

    let reader = VirtualReader(mode: mode, root: root, memory: memory)
    if let swapper = hex("SYMBOL(swapper_pg_dir)"), forcedRoot == nil {
      let found = mode.walk(swapper, root: root, memory: memory).physical
      if found != root {
        problems.append(
          "the tables at \(root.address) do not map swapper_pg_dir (\(swapper.address)) to "
            + "themselves: wrong root, wrong paging mode, or a damaged image")
      }
    }
    let kallsyms = info["SYMBOL(kallsyms_names)"] == nil ? nil : Kallsyms.read(info, reader)
    symbols = kallsyms
    if let kallsyms, let stext = hex("SYMBOL(_stext)"), kallsyms["_stext"] != stext {
      problems.append("kallsyms and VMCOREINFO disagree on _stext: one of them is damaged")
    } else if kallsyms == nil, info["SYMBOL(kallsyms_names)"] != nil {
      problems.append("the kernel's own symbol table (kallsyms) could not be read")
    }
    func variable(_ name: String) -> Fact<UInt64>? {
      if let value = extract?.values[name] { return Fact(value, name) }
      guard let address = kallsyms?[name], let value = reader.word(at: address) else { return nil }
      return Fact(value, name)
    }
    facts.directMap = variable("page_offset_base")
    facts.vmalloc = facts.vmalloc ?? variable("vmalloc_base")
    facts.vmemmap = facts.vmemmap ?? variable("vmemmap_base")
    facts.maxPfnMapped = variable("max_pfn_mapped")
    if let supported = variable("__supported_pte_mask") {
      facts.nx = Fact(supported.value & mode.noExecute != 0, supported.source)
      facts.pge = Fact(supported.value & mode.global != 0, supported.source)
      if let kernel = variable("__default_kernel_pte_mask"), supported.value & mode.global != 0 {
        facts.pti = Fact(
          kernel.value & mode.global == 0,
          "\(kernel.source) \(kernel.value & mode.global == 0 ? "leaves" : "holds") _PAGE_GLOBAL"
            + (kernel.value & mode.global == 0 ? " out" : ""))
      }
    }
    log =
      extract?.log.map { Fact($0, "the image's printk ring") }
      ?? PrintkRing.read(info, reader).map { Fact($0, "the image's printk ring") }
    self.facts = facts
    self.problems = problems
  }

  /// Whether the image is one of our own extracts, which hold tables and little else.
  package var isExtract: Bool { memory.notes.contains { $0.name == Extract.owner } }

  /// The areas, from the image's own bases where it tells them.
  package var layout: Layout {
    guard let directMap = facts.directMap, let vmalloc = facts.vmalloc, let vmemmap = facts.vmemmap
    else { return .x86_64Defaults(mode: mode) }
    return .x86_64(
      mode: mode, directMap: directMap.value, vmalloc: vmalloc.value, vmemmap: vmemmap.value,
      imageSize: facts.imageSize?.value ?? (1 << 30))
  }

  /// The root of the user twin under PTI: the page behind the kernel's.
  package var userRoot: UInt64? { facts.pti?.value == true ? root | 0x1000 : nil }

  /// Reads the whole of the tables below `root`.
  package func space(root: UInt64? = nil, progress: ((Int) -> Void)? = nil) -> AddressSpace {
    Walker.walk(root: root ?? self.root, mode: mode, memory: memory, progress: progress)
  }

  package func walk(_ address: UInt64, root: UInt64? = nil) -> WalkResult {
    mode.walk(address, root: root ?? self.root, memory: memory)
  }

  /// Who a page-table page belongs to: the symbol of the kernel image whose page it is, if any.
  package func owner(ofTable physical: UInt64) -> String? {
    guard let symbols, let base = facts.physBase?.value else { return nil }
    let address = physical &- base &+ Self.imageBase
    guard let start = symbols["_text"], let end = symbols["_end"], address >= start, address < end,
      let symbol = symbols.name(around: address)
    else { return nil }
    return symbol.offset == 0 ? symbol.name : "\(symbol.name)+\(symbol.offset.entry)"
  }

  private static func vmcoreinfo(_ memory: ELFImage) -> [String: String] {
    guard let note = memory.notes.first(where: { $0.name == "VMCOREINFO" }) else { return [:] }
    var found: [String: String] = [:]
    for line in note.bytes.split(separator: 10) {
      guard let equals = line.firstIndex(of: 0x3d) else { continue }
      found[String(decoding: line[..<equals], as: UTF8.self)] =
        String(decoding: line[(equals + 1)...].prefix { $0 != 0 }, as: UTF8.self)
    }
    return found
  }
}

/// Reads kernel virtual memory through the tables.
struct VirtualReader {
  let mode: PagingMode
  let root: UInt64
  let memory: ELFImage

  func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, count <= 64 << 20 else { return nil }
    var found: [UInt8] = []
    found.reserveCapacity(count)
    var at = address
    while found.count < count {
      guard case .leaf(let physical, let size) = mode.walk(at, root: root, memory: memory).end
      else { return nil }
      let inLeaf = size - (at & (size - 1))
      let part = Int(min(UInt64(count - found.count), inLeaf))
      guard let bytes = try? memory.read(at: physical, count: part) else {
        // A large leaf of which an extract holds some pages: page by page.
        let inPage = min(part, Int(4096 - (at & 4095)))
        guard let page = try? memory.read(at: physical, count: inPage) else { return nil }
        found += page
        at &+= UInt64(inPage)
        continue
      }
      found += bytes
      at &+= UInt64(part)
    }
    return found
  }

  func word(at address: UInt64, size: Int = 8) -> UInt64? {
    bytes(at: address, count: size)?.number(at: 0, size: size)
  }
}
