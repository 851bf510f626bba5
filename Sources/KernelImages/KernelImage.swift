package import MemoryImages
package import PageTables

/// A memory image with what is known of the kernel inside it.
package struct KernelImage: Sendable {
  package let memory: any MemoryImage
  /// What an extract says of itself; nil for an image that is none.
  package let extract: Extract.Contents?
  package let mode: TableFormat
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
  /// The names that the kernel's own dumper prints, and where.
  package let markers: Fact<[AddressMarker]>?
  /// What lies where in the physical address space: /proc/iomem.
  package let resources: Fact<[Resource]>?
  /// Where KFENCE keeps its objects between guard pages, in the direct map; nil without.
  package let kfencePool: ClosedRange<UInt64>?
  /// The top tables of other kernels in the same memory: that of a crash kernel that was running.
  package let otherRoots: [UInt64]
  /// What the runs of all walks together may take of memory; nil for no limit.
  package var budget: RunBudget?
  /// What the kernel image's virtual addresses lie above its physical ones.
  private let imageOffset: UInt64

  /// A processor's control registers from QEMU's note.
  package struct CPUState: Sendable, Equatable {
    package let cr3: UInt64
    package let cr4: UInt64
    package var fiveLevel: Bool { cr4 & (1 << 12) != 0 }
    var hasPAE: Bool { cr4 & (1 << 5) != 0 }
    var hasPGE: Bool { cr4 & (1 << 7) != 0 }
  }

  /// - Parameters:
  ///   - mode: overrides the mode that the image tells.
  ///   - root: the root, physical, for an image that does not tell it.
  ///   - files: symbols that files beside the image tell, as they were linked or as they run.
  /// - Throws: `ImageError` where nothing tells the root, or `files` are of another build.
  package init(
    _ memory: any MemoryImage, mode: TableFormat? = nil, root given: UInt64? = nil,
    symbols files: [Symbols] = []
  ) throws(ImageError) {
    let extract = Extract.contents(of: memory)
    let memory = extract.map { ExtractedMemory(file: memory, contents: $0) } ?? memory
    self.memory = memory
    self.extract = extract
    cpus = memory.notes.filter { $0.name == "QEMU" }.compactMap { note in
      guard let cr3 = note.bytes.u64(at: 416), let cr4 = note.bytes.u64(at: 424) else { return nil }
      return CPUState(cr3: cr3, cr4: cr4)
    }
    guard let found = Root.find(in: memory, cpu: cpus.first, mode: mode, address: given) else {
      throw ImageError(
        memory.path, "no VMCOREINFO and no CPU note tells where the page tables are",
        advice: "give the physical address of the top table with --table")
    }
    var root = found.root
    let info = found.info
    var problems = memory.damage + (extract?.problems ?? []) + (info?.contradictions ?? [])
    if !root.isVerified, given == nil {
      problems.append(
        "nothing confirms that a kernel's tables lie at \(root.address.address): wrong root, wrong "
          + "paging mode, or a damaged image; --table and --mode override")
    }
    self.info = info
    otherRoots = found.others.map(\.address)

    let kallsyms = info.flatMap { Kallsyms.read($0, VirtualReader(root, memory)) }
    if kallsyms == nil, info?.mentions("kallsyms_") == true {
      problems.append("the kernel's own symbol table (kallsyms) could not be read")
    } else if let stext = info?.symbol("_stext"), let own = kallsyms?["_stext"], own != stext {
      problems.append("kallsyms and VMCOREINFO disagree on _stext: one of them is damaged")
    }
    var tables = kallsyms.map { [$0] } ?? []
    for file in files { tables.append(try Self.moved(file, info, root, memory)) }
    let symbols = Symbols(merging: tables)
    self.symbols = symbols
    // A processor's own tables have a user half; the kernel's do not.
    let top = symbols?["init_top_pgt"] ?? symbols?["swapper_pg_dir"]
    if info == nil, given == nil, let top,
      let own = root.moved(
        to: top, source: "init_top_pgt (\(symbols?.source ?? ""))", memory: memory)
    {
      root = own
    }
    self.mode = root.mode
    self.root = root.address
    imageOffset = root.imageOffset

    let reader = VirtualReader(root, memory)
    values = Variable.read(
      extract, symbols, reader, swapper: info?.symbol("swapper_pg_dir") ?? top,
      problems: &problems)
    markers =
      extract?.markers.map { Fact($0, "address_markers, kept by the extract") }
      ?? symbols?["address_markers"].flatMap { reader.markers(at: $0) }.map {
        Fact($0, "address_markers of the image")
      }
    resources =
      extract?.resources.map { Fact($0, "/proc/iomem, kept by the extract") }
      ?? symbols?["iomem_resource"].flatMap { reader.resources(at: $0) }.map {
        Fact($0, "iomem_resource of the image")
      }
    facts = KernelFacts(
      info, root, values, symbols, reader, cpu: cpus.first, problems: &problems)

    let ring = extract?.log ?? info.flatMap { PrintkRing.read($0, reader) }
    if ring == nil, extract == nil, info?.mentions("prb") == true {
      problems.append("the kernel log (printk's ring) could not be read")
    }
    log = ring.map { Fact($0, "the image's printk ring") }
    kfencePool = Self.kfencePool(values[Variable.kfencePool], ring)
    self.problems = problems
  }

  /// A file's symbols at the addresses of the kernel that runs.
  ///
  /// - Throws: `ImageError` where the file is of another build.
  private static func moved(
    _ file: Symbols, _ info: VMCoreInfo?, _ root: Root, _ memory: any MemoryImage
  ) throws(ImageError) -> Symbols {
    if let mine = info?["BUILD-ID"], let its = file.buildID, mine != its {
      throw file.refusal("its build ID is \(its), the kernel's \(mine)", of: memory.path)
    }
    let symbols: Symbols
    if let stext = info?.symbol("_stext") {
      guard let own = file["_stext"] else {
        throw file.refusal("no _stext in it", of: memory.path)
      }
      symbols = file.moved(by: stext &- own, in: root.mode)
      let top = symbols["init_top_pgt"] ?? symbols["swapper_pg_dir"] ?? symbols["init_level4_pgt"]
      if let swapper = info?.symbol("swapper_pg_dir"), let top, top != swapper {
        throw file.refusal(
          "its init_top_pgt lies elsewhere than VMCOREINFO's swapper_pg_dir", of: memory.path)
      }
    } else {
      let text = Root.text(mode: root.mode, root: root.address, memory: memory)
      symbols = try file.moved(toText: text?.address, in: root.mode, of: memory.path)
    }
    if let banner = symbols["linux_banner"],
      let bytes = VirtualReader(root, memory).bytes(at: banner, count: 14),
      bytes != Array("Linux version ".utf8)
    {
      throw file.refusal(
        "no \"Linux version\" where linux_banner should be", of: memory.path)
    }
    return symbols
  }

  /// The areas, as far as the image tells their bases.
  package var layout: Layout {
    guard let directMap = facts.directMap?.value else { return .x86_64Fixed(mode: mode) }
    if mode.addressBits == 32 {
      return .i386(
        mode: mode, markers: markers?.value ?? [], vmalloc: facts.vmalloc?.value, imageAddresses)
    }
    // Its last page may be a large one that reaches past the end of memory.
    let gigabyte: UInt64 = 1 << 30
    let memoryEnd = memory.ranges.last.map { $0.upperBound + 1 } ?? 0
    return .x86_64(
      mode: mode, directMap: directMap, vmalloc: facts.vmalloc?.value,
      vmemmap: facts.vmemmap?.value,
      directMapLast: directMap &+ (memoryEnd &+ gigabyte & ~(gigabyte - 1)) &- 1,
      imageSize: facts.imageSize?.value ?? (1 << 30))
  }

  /// The virtual addresses of the kernel image, from _text to _end; nil without symbols.
  private var imageAddresses: ClosedRange<UInt64>? {
    guard let start = symbols?["_text"], let end = symbols?["_end"], start < end else {
      return nil
    }
    return start...(end - 1)
  }

  /// The physical addresses of the kernel image; nil without symbols.
  package var imageFrames: ClosedRange<UInt64>? {
    imageAddresses.flatMap { addresses in
      let first = addresses.lowerBound &- imageOffset
      let last = addresses.upperBound &- imageOffset
      return first <= last ? first...last : nil
    }
  }

  /// Where the image's text and read-only data lie, without what is given back around them.
  ///
  /// Source: `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  package var readOnlyParts: [ClosedRange<UInt64>] {
    [("_text", "_etext"), ("__start_rodata", "__end_rodata")].compactMap { start, end in
      guard let start = symbols?[start], let end = symbols?[end], start < end else { return nil }
      // The last page is given back from its end on.
      return (start & ~4095)...((end &+ 4095) & ~4095 &- 1)
    }
  }

  /// The root of the tables that EFI's runtime services use; nil where there are none.
  package var efiRoot: UInt64? {
    values[Variable.efiRoot].flatMap { $0 == 0 ? nil : walk($0).physical }
  }

  /// Source: `kfence_init_enable`, mm/kfence/core.c, 6.12: the log tells the size, 2 MiB by default.
  private static func kfencePool(_ start: UInt64?, _ log: String?) -> ClosedRange<UInt64>? {
    guard let start, start != 0 else { return nil }
    let size = log?.number(after: "kfence: initialized - using ") ?? 2 << 20
    return size > 0 && start <= ~0 - size ? start...(start + size - 1) : nil
  }

  /// Whether the machine has memory at a physical address.
  package func isMemory(_ physical: UInt64) -> Bool {
    if let resources = resources?.value {
      return resources.contains { $0.isRAM && $0.start <= physical && physical <= $0.last }
    }
    return (extract?.memory ?? memory.ranges).contains { $0.contains(physical) }
  }

  /// The root of the user twin under PTI: the page behind the kernel's.
  package var userRoot: UInt64? { facts.pti?.value == true ? root | 0x1000 : nil }

  /// The roots that are judged: the kernel's, and its user twin under PTI.
  package var roots: [(name: String, address: UInt64)] {
    [(name: "kernel", address: root)]
      + (userRoot.map { [(name: "user", address: $0)] } ?? [])
  }

  /// Reads the whole of the tables below `root`.
  package func space(
    root: UInt64? = nil, userHalfOnly: Bool = false, progress: (@Sendable (Int) -> Void)? = nil
  ) -> AddressSpace {
    // The user halves of many processes are walked side by side.
    Walker.walk(
      root: root ?? self.root, mode: mode, memory: memory, userHalfOnly: userHalfOnly,
      inParallel: !userHalfOnly, budget: budget, progress: progress)
  }

  /// The tables as the kernel's own dumper walks them: KASAN's early shadow in one step.
  package func dumpedSpace(root: UInt64) -> AddressSpace? {
    var tables: [Int: UInt64] = [:]
    for (level, name) in [(1, "pte"), (2, "pmd"), (3, "pud"), (4, "p4d")] {
      tables[level] = symbols?["kasan_early_shadow_\(name)"].map { $0 &- imageOffset }
    }
    guard let lowest = tables[1], let bytes = try? memory.read(at: lowest, count: 8),
      let entry = bytes.u64(at: 0)
    else { return nil }
    return Walker.walk(
      root: root, mode: mode, memory: memory,
      shadow: EarlyShadow(tables: tables, entry: entry))
  }

  package func walk(_ address: UInt64, root: UInt64? = nil) -> WalkResult {
    mode.walk(address, root: root ?? self.root, memory: memory)
  }

  /// Who a page-table page belongs to: the symbol of the kernel image whose page it is, if any.
  ///
  /// What the kernel gives back of its image when init ends belongs to nobody any more. Source:
  /// `free_initmem`, arch/x86/mm/init.c, `mark_rodata_ro`, arch/x86/mm/init_64.c, and
  /// `alternative_instructions`, arch/x86/kernel/alternative.c (one processor), and
  /// `mem_encrypt_free_decrypted_mem`, arch/x86/mm/mem_encrypt_amd.c, 6.12.
  package func owner(ofTable physical: UInt64) -> String? {
    guard let symbols, imageFrames?.contains(physical) == true else { return nil }
    let address = physical &+ imageOffset
    let freed = [
      ("__init_begin", "__init_end"), ("_etext", "__start_rodata"), ("__end_rodata", "_sdata"),
      ("__smp_locks", "__smp_locks_end"),
      ("__start_bss_decrypted_unused", "__end_bss_decrypted"),
    ]
    for (start, end) in freed {
      if let start = symbols[start], let end = symbols[end], address >= start, address < end {
        return nil
      }
    }
    return symbols.label(around: address)
  }
}
