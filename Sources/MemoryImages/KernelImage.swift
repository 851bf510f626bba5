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
  package let info: VMCoreInfo?
  package let cpus: [CPUState]
  /// What could not be read of what the image should hold.
  package let problems: [String]
  /// The kernel's variables that facts come from, as far as they could be read.
  package let values: [String: UInt64]

  /// A processor's control registers from QEMU's note.
  package struct CPUState: Sendable, Equatable {
    package let cr3: UInt64
    package let cr4: UInt64
    package var fiveLevel: Bool { cr4 & (1 << 12) != 0 }
  }

  /// The variables whose values facts come from, and which an extract keeps as values.
  package static let variables = [
    "page_offset_base", "vmalloc_base", "vmemmap_base", "__supported_pte_mask",
    "__default_kernel_pte_mask", "max_pfn_mapped",
  ]

  /// - Parameters:
  ///   - mode: overrides the mode that the image tells.
  ///   - root: overrides the root, physical.
  ///   - files: symbols that files beside the image tell, as they were linked or as they run.
  /// - Throws: `ImageError` where nothing tells the root, or `files` are of another build.
  package init(
    _ memory: ELFImage, mode forced: PagingMode? = nil, root forcedRoot: UInt64? = nil,
    symbols files: [Symbols] = []
  ) throws(ImageError) {
    self.memory = memory
    var problems = memory.damage
    var facts = KernelFacts()
    let extract = Extract.contents(of: memory)
    problems += extract?.problems ?? []
    cpus = memory.notes.filter { $0.name == "QEMU" }.compactMap { note in
      guard let cr3 = note.bytes.u64(at: 416), let cr4 = note.bytes.u64(at: 424) else { return nil }
      return CPUState(cr3: cr3, cr4: cr4)
    }
    let fiveLevel = cpus.first?.fiveLevel ?? false
    func physBase(_ info: VMCoreInfo) -> Fact<UInt64>? {
      info.number("phys_base").map { Fact($0, info.source) }
        ?? memory.textLoad.map {
          Fact($0.physical &- ($0.virtual &- Root.imageBase), "the program header of the text")
        }
    }
    func root(_ info: VMCoreInfo) -> Root? {
      physBase(info).flatMap { Root(info, physBase: $0.value, fiveLevel: fiveLevel) }
    }

    // The kernel's note of itself: as a note, else the copy in memory whose tables hold themselves.
    let info =
      VMCoreInfo.note(in: memory)
      ?? VMCoreInfo.copies(in: memory).first {
        root($0)?.verifies($0, memory: memory) ?? false
      }
    self.info = info

    // The root and the mode, each from the best that the image tells.
    var chosen =
      info.flatMap(root) ?? cpus.first.map { Root($0, mode: forced, memory: memory) }
    if forced != nil || forcedRoot != nil {
      let mode = forced ?? chosen?.mode ?? .x86_64
      if let address = forcedRoot ?? chosen?.address {
        chosen = Root(
          mode: mode, address: address,
          source: forcedRoot == nil ? chosen?.source ?? "" : "--table")
      }
    }
    guard var found = chosen else {
      throw ImageError(
        memory.path, "no VMCOREINFO and no CPU note tells where the page tables are",
        advice: "give the physical address of the top table with --table")
    }
    if let info {
      problems += Self.contradictions(info)
      if forcedRoot == nil, !found.verifies(info, memory: memory) {
        problems.append(
          "the tables at \(found.address.address) do not map swapper_pg_dir to themselves: wrong "
            + "root, wrong paging mode, or a damaged image")
      }
    }
    let text = Root.text(mode: found.mode, root: found.address, memory: memory)
    facts.physBase =
      info.flatMap(physBase)
      ?? text.map {
        Fact($0.physical &- ($0.address &- Root.imageBase), "the tables: the image's first page")
      }

    // The symbols: the image's own, and those of files, moved to where the kernel runs.
    var reader = VirtualReader(mode: found.mode, root: found.address, memory: memory)
    let kallsyms = info.flatMap { Kallsyms.read($0, reader) }
    if kallsyms == nil, info?.mentions("kallsyms_") == true {
      problems.append("the kernel's own symbol table (kallsyms) could not be read")
    } else if let stext = info?.symbol("_stext"), let own = kallsyms?["_stext"], own != stext {
      problems.append("kallsyms and VMCOREINFO disagree on _stext: one of them is damaged")
    }
    var tables = kallsyms.map { [$0] } ?? []
    for file in files {
      tables.append(
        try Self.moved(file, info: info, text: text?.address, reader: reader, path: memory.path))
    }
    let symbols = Symbols(merging: tables)
    self.symbols = symbols
    // A processor's own tables have a user half; the kernel's do not.
    if info?.symbol("swapper_pg_dir") == nil, forcedRoot == nil, let base = facts.physBase,
      let swapper = symbols?["init_top_pgt"] ?? symbols?["swapper_pg_dir"]
    {
      let root = Root(
        mode: found.mode, address: swapper &- Root.imageBase &+ base.value,
        source: "init_top_pgt (\(symbols?.source ?? ""))")
      if found.mode.walk(swapper, root: root.address, memory: memory).physical == root.address {
        found = root
        reader = VirtualReader(mode: found.mode, root: found.address, memory: memory)
      }
    }
    self.mode = found.mode
    self.root = found.address
    facts.root = Fact(found.address, found.source)

    var values: [String: UInt64] = [:]
    for name in Self.variables {
      values[name] = extract?.values[name] ?? symbols?[name].flatMap { reader.word(at: $0) }
    }
    self.values = values
    func variable(_ name: String) -> Fact<UInt64>? { values[name].map { Fact($0, name) } }
    facts.takeNote(info)
    if facts.release == nil, let banner = symbols?["linux_banner"],
      let bytes = reader.bytes(at: banner, count: 128)
    {
      let words = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).split(separator: " ")
      if words.count > 2, words[0] == "Linux" {
        facts.release = Fact("\(words[2])", "linux_banner")
      }
    }
    facts.directMap =
      variable("page_offset_base")
      ?? Root.directMap(mode: found.mode, root: found.address, memory: memory).map {
        Fact($0, "the tables: from there they lead to themselves")
      }
    if info == nil, facts.directMap == nil, forcedRoot == nil {
      problems.append(
        "nothing confirms that a kernel's tables lie at \(found.address.address): wrong root, wrong "
          + "paging mode, or a damaged image; --table and --mode override")
    }
    let vmalloc = variable("vmalloc_base")
    if let vmalloc, let noted = facts.vmalloc, vmalloc.value != noted.value {
      problems.append("vmalloc_base and VMCOREINFO disagree: one of them is damaged")
    }
    facts.vmalloc = facts.vmalloc ?? vmalloc
    facts.vmemmap = facts.vmemmap ?? variable("vmemmap_base")
    facts.maxPfnMapped = variable("max_pfn_mapped")
    facts.takeMasks(
      supported: variable("__supported_pte_mask"), kernel: variable("__default_kernel_pte_mask"),
      mode: found.mode)
    facts.takeTables(found, cpu: cpus.first, memory: memory)

    let ring =
      extract?.log ?? info.flatMap { PrintkRing.read($0, reader) }
    if ring == nil, extract == nil, info?.mentions("prb") == true {
      problems.append("the kernel log (printk's ring) could not be read")
    }
    log = ring.map { Fact($0, "the image's printk ring") }
    self.facts = facts
    self.problems = problems
  }

  /// What a kernel's note says against itself: such a note was changed.
  private static func contradictions(_ info: VMCoreInfo) -> [String] {
    var found: [String] = []
    for key in ["OSRELEASE", "SYMBOL(swapper_pg_dir)", "SYMBOL(_stext)"] where info[key] == nil {
      found.append("VMCOREINFO lacks \(key): it is cut off or damaged")
    }
    if let offset = info.hex("KERNELOFFSET"), offset & 0x1f_ffff != 0 || offset >= 1 << 30 {
      found.append("VMCOREINFO's KERNELOFFSET \(offset.entry) is no place for a kernel")
    }
    if let size = info.number("KERNEL_IMAGE_SIZE"), size != 1 << 29, size != 1 << 30 {
      found.append("VMCOREINFO's KERNEL_IMAGE_SIZE \(size.entry) is neither 512 MiB nor 1 GiB")
    }
    return found
  }

  /// A file's symbols at the addresses of the kernel that runs.
  ///
  /// - Throws: `ImageError` where the file is of another build.
  private static func moved(
    _ file: Symbols, info: VMCoreInfo?, text: UInt64?, reader: VirtualReader, path: String
  ) throws(ImageError) -> Symbols {
    func refusal(_ why: String) -> ImageError {
      ImageError(
        file.source, "not the symbols of the kernel in \(path): \(why)",
        advice: "give the System.map or vmlinux of the same build")
    }
    let symbols: Symbols
    if let stext = info?.symbol("_stext") {
      guard let own = file["_stext"] else { throw refusal("no _stext in it") }
      symbols = file.moved(by: stext &- own)
      let top = symbols["init_top_pgt"] ?? symbols["swapper_pg_dir"] ?? symbols["init_level4_pgt"]
      if let swapper = info?.symbol("swapper_pg_dir"), let top, top != swapper {
        throw refusal("its init_top_pgt lies elsewhere than VMCOREINFO's swapper_pg_dir")
      }
    } else if let text, let own = file["_text"] ?? file["_stext"] {
      guard (text &- own) & 0x1f_ffff == 0 else {
        throw refusal("_text \(own.address) cannot have been moved to \(text.address)")
      }
      symbols = file.moved(by: text &- own)
    } else {
      throw refusal("nothing tells where the image lies")
    }
    if let banner = symbols["linux_banner"], let bytes = reader.bytes(at: banner, count: 14),
      bytes != Array("Linux version ".utf8)
    {
      throw refusal("no \"Linux version\" where linux_banner should be")
    }
    return symbols
  }

  /// The areas, as far as the image tells their bases.
  package var layout: Layout {
    guard let directMap = facts.directMap?.value else { return .x86_64Fixed(mode: mode) }
    // Its last page may be a large one that reaches past the end of memory.
    let gigabyte: UInt64 = 1 << 30
    let memoryEnd = memory.segments.last.map { $0.physical + $0.size } ?? 0
    return .x86_64(
      mode: mode, directMap: directMap, vmalloc: facts.vmalloc?.value,
      vmemmap: facts.vmemmap?.value,
      directMapLast: directMap &+ (memoryEnd &+ gigabyte & ~(gigabyte - 1)) &- 1,
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
    let address = physical &- base &+ Root.imageBase
    guard let start = symbols["_text"], let end = symbols["_end"], address >= start, address < end,
      let symbol = symbols.name(around: address)
    else { return nil }
    return symbol.offset == 0 ? symbol.name : "\(symbol.name)+\(symbol.offset.entry)"
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
