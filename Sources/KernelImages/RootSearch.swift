internal import MemoryImages
internal import PageTables

/// The search for the kernel's tables in a memory image.
struct RootSearch {
  let root: Root
  /// The kernel's note of itself that led to the root; nil where something else did.
  let info: VMCoreInfo?
  /// The tables of other kernels in the same memory.
  let others: [Root]
  /// What the image's own note says against itself, and that nothing confirms the root.
  let problems: [String]

  private typealias Found = (root: Root, info: VMCoreInfo)

  /// Finds the root.
  ///
  /// - Throws: `ImageError` where nothing tells it.
  static func found(
    in memory: any MemoryImage, cpu: KernelImage.CPUState?, mode: TableFormat?, address: UInt64?,
    guestsTop: UInt64?
  ) throws(ImageError) -> RootSearch {
    guard
      let found = RootSearch(
        memory, cpu: cpu, mode: mode, address: address, guestsTop: guestsTop)
    else {
      throw ImageError(
        memory.path, "no VMCOREINFO and no CPU note tells where the page tables are",
        advice: "give the physical address of the top table with --table")
    }
    return found
  }

  /// Finds the root, from the best that the image tells; nil where nothing does.
  ///
  /// - Parameters:
  ///   - forced: the mode, where the user gives it.
  ///   - address: the root, where nothing tells another that verifies.
  ///   - guestsTop: a table of a Xen guest's that maps no program.
  init?(
    _ memory: any MemoryImage, cpu: KernelImage.CPUState?, mode forced: TableFormat?,
    address: UInt64?, guestsTop: UInt64? = nil
  ) {
    let note = VMCoreInfo.note(in: memory)
    let possible = forced.map { [$0.architecture] } ?? memory.possibleArchitectures
    // Without a note, the copies in memory whose tables lead to themselves.
    var verified: [Found] = []
    var unverified: Found?
    for info in note.map({ [$0] }) ?? VMCoreInfo.copies(in: memory) {
      let roots = possible.flatMap { architecture in
        let modes = forced.map { [$0] } ?? architecture.likelyFormats(cpu, info)
        return Self.candidates(info, architecture, modes, memory)
      }
      if let root = roots.first(where: \.isVerified) {
        if !verified.contains(where: { $0.root.address == root.address }) {
          verified.append((root, info))
        }
      } else if address == nil, note != nil, let root = roots.first {
        unverified = (root, info)
      }
    }
    let likeliest = forced ?? possible[0].likelyFormats(cpu, nil)[0]
    if let unverified {
      self.init(unverified.root, unverified.info)
    } else if let chosen = verified.count > 1 ? Self.crashed(of: verified, memory) : verified.first
    {
      self.init(
        chosen.root, chosen.info,
        others: verified.map(\.root).filter { $0.address != chosen.root.address })
    } else if let address {
      self.init(
        Root(likeliest, at: address, source: "--table", memory: memory), note, isGiven: true)
    } else if let guestsTop {
      let source = "the top tables that Xen has validated: it maps no program"
      self.init(Root(likeliest, at: guestsTop, source: source, memory: memory), note)
    } else if let cpu {
      let roots = possible[0].roots(of: cpu, likeliest).map {
        Root(likeliest, at: $0.address, source: $0.source, memory: memory)
      }
      guard let root = roots.first(where: \.isVerified) ?? roots.first else { return nil }
      self.init(root, note)
    } else if let found = possible.lazy.compactMap({ $0.rootByContent(in: memory) }).first {
      let source = "the tables: the only ones that lead to all of memory"
      self.init(
        Root(forced ?? found.format, at: found.address, source: source, memory: memory), note)
    } else {
      return nil
    }
  }

  private init(_ root: Root, _ info: VMCoreInfo?, others: [Root] = [], isGiven: Bool = false) {
    self.root = root
    self.info = info
    self.others = others
    var problems =
      info.map { info in
        info.contradictions(root.mode.architecture)
          + root.mode.architecture.contradictions(in: info)
      } ?? []
    if !root.isVerified, !isGiven {
      problems.append(
        "nothing confirms that a kernel's tables lie at \(root.address.address): wrong root, wrong "
          + "paging mode, or a damaged image; --table and --mode override")
    }
    if info == nil, root.mode.architecture.areasNeedNote {
      problems.append(
        "no VMCOREINFO tells where the kernel's areas lie: what depends on them is not judged")
    }
    self.problems = problems
  }

  /// Of several kernels in one memory the first that lies in no other's reservation for a crash
  /// kernel.
  ///
  /// Source: `crashk_res`, kernel/crash_core.c, and `struct resource`, include/linux/ioport.h, 6.12.
  private static func crashed(of kernels: [Found], _ memory: any MemoryImage) -> Found? {
    let reserved = kernels.prefix(8).compactMap { root, info -> ClosedRange<UInt64>? in
      let reader = VirtualReader(root, memory)
      let size = root.mode.entrySize
      guard let place = Kallsyms.find(info, reader)?.symbols(reader)?["crashk_res"],
        let start = reader.word(at: place, size: size),
        let last = reader.word(at: place &+ UInt64(size), size: size), start < last
      else { return nil }
      return start...last
    }
    return kernels.first { kernel in !reserved.contains { $0.contains(kernel.root.address) } }
      ?? kernels.first
  }

  /// The tables that a kernel's own note may mean, the likeliest first.
  private static func candidates(
    _ info: VMCoreInfo, _ architecture: any Architecture, _ modes: [TableFormat],
    _ memory: any MemoryImage
  ) -> [Root] {
    guard let swapper = info.topTable(architecture) else { return [] }
    func root(_ mode: TableFormat, _ offset: UInt64) -> Root {
      let mode = architecture.format(mode, imageOffset: offset, info)
      let swapper = architecture.root(inTopTable: swapper, mode, info)
      let address = swapper &- offset
      return Root(
        mode: mode, address: address,
        source:
          "\(info.source): \(info.symbol("swapper_pg_dir") == nil ? "top table" : "swapper_pg_dir")",
        imageOffset: offset,
        isVerified: mode.walk(swapper, root: address, memory: memory).physical == address)
    }
    let likely = architecture.imageOffsets(info, memory)
    let roots = modes.flatMap { mode in likely.map { root(mode, $0) } }
    if roots.contains(where: \.isVerified) { return roots }
    // Nothing tells where the image lies in memory: where the tables lead to themselves.
    let others = architecture.possibleImageOffsets(info, memory)
    for mode in modes {
      if let found = others.lazy.map({ root(mode, $0) }).first(where: \.isVerified) {
        return [found] + roots
      }
    }
    return roots
  }
}
