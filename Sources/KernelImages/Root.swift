internal import MemoryImages
internal import PageTables

/// Where the kernel's tables start, how they are read, and how that is known.
struct Root {
  let mode: TableFormat
  /// Physical.
  let address: UInt64
  let source: String
  /// What the image's virtual addresses lie above its physical ones.
  let imageOffset: UInt64
  /// Whether the tables lead to themselves: by the address that the kernel gives of them, or
  /// through their direct map.
  let isVerified: Bool

  /// The address space's start that all x86-64 kernels are linked to.
  static let imageBase: UInt64 = 0xffff_ffff_8000_0000
  /// Where 32-bit kernels may split the address space (CONFIG_PAGE_OFFSET).
  private static let splits: [UInt64] = [
    0xc000_0000, 0xb000_0000, 0x8000_0000, 0x7800_0000, 0x4000_0000,
  ]

  /// Finds the root, from the best that the image tells.
  ///
  /// - Parameters:
  ///   - forced: the mode, where the user gives it.
  ///   - address: the root, where nothing tells another that verifies.
  /// - Returns: the root, and the kernel's note of itself that led to it; nil where nothing does.
  static func find(
    in memory: any MemoryImage, cpu: KernelImage.CPUState?, mode forced: TableFormat?,
    address: UInt64?
  ) -> (root: Root, info: VMCoreInfo?, others: [Root])? {
    let note = VMCoreInfo.note(in: memory)
    // Without a note, the copies in memory whose tables lead to themselves.
    var verified: [(root: Root, info: VMCoreInfo)] = []
    for info in note.map({ [$0] }) ?? VMCoreInfo.copies(in: memory) {
      let roots = candidates(info, memory: memory, cpu: cpu, mode: forced)
      if let root = roots.first(where: \.isVerified) {
        if !verified.contains(where: { $0.root.address == root.address }) {
          verified.append((root, info))
        }
      } else if address == nil, note != nil, let root = roots.first {
        return (root, info, [])
      }
    }
    if let chosen = verified.count > 1 ? crashed(of: verified, memory) : verified.first {
      let others = verified.map(\.root).filter { $0.address != chosen.root.address }
      return (chosen.root, chosen.info, others)
    }
    if let address {
      let mode = forced ?? cpu.map { modes(memory, cpu: $0)[0] } ?? modes(memory, cpu: nil)[0]
      return (Root(mode, at: address, source: "--table", memory: memory), note, [])
    }
    return cpu.map { (Root($0, mode: forced, memory: memory), note, []) }
  }

  /// Of several kernels in one memory the first that lies in no other's reservation for a crash
  /// kernel.
  ///
  /// Source: `crashk_res`, kernel/crash_core.c, and `struct resource`, include/linux/ioport.h, 6.12.
  private static func crashed(
    of kernels: [(root: Root, info: VMCoreInfo)], _ memory: any MemoryImage
  ) -> (root: Root, info: VMCoreInfo)? {
    let reserved = kernels.compactMap { root, info -> ClosedRange<UInt64>? in
      let reader = VirtualReader(root, memory)
      guard reader.wordSize == 8, let place = Kallsyms.read(info, reader)?["crashk_res"],
        let start = reader.word(at: place), let last = reader.word(at: place &+ 8), start < last
      else { return nil }
      return start...last
    }
    return kernels.first { kernel in !reserved.contains { $0.contains(kernel.root.address) } }
      ?? kernels.first
  }

  private static func modes(_ memory: any MemoryImage, cpu: KernelImage.CPUState?) -> [TableFormat]
  {
    if memory.machine == .i386 {
      return cpu?.hasPAE ?? true ? [.i386PAE, .i386] : [.i386, .i386PAE]
    }
    return cpu?.fiveLevel ?? false
      ? [.x86_64FiveLevel, .x86_64] : [.x86_64, .x86_64FiveLevel]
  }

  /// The tables that a kernel's own note may mean, the likeliest first.
  private static func candidates(
    _ info: VMCoreInfo, memory: any MemoryImage, cpu: KernelImage.CPUState?,
    mode forced: TableFormat?
  ) -> [Root] {
    guard let swapper = info.symbol("swapper_pg_dir") else { return [] }
    var modes = forced.map { [$0] } ?? Self.modes(memory, cpu: cpu)
    if forced == nil, let number = info.number("pgtable_l5_enabled") {
      modes = [number == 1 ? .x86_64FiveLevel : .x86_64]
    }
    let offsets =
      memory.machine == .i386
      ? splits
      : (info.number("phys_base").map { imageBase &- $0 }
        ?? textOffset(memory)).map { [$0] } ?? []
    return modes.flatMap { mode in
      offsets.map { offset in
        var mode = info.encryptionMask.flatMap(mode.encrypted) ?? mode
        if memory.machine == .i386 { mode.upperHalf = offset }
        let address = swapper &- offset
        return Root(
          mode: mode, address: address, source: "\(info.source): swapper_pg_dir",
          imageOffset: offset,
          isVerified: mode.walk(swapper, root: address, memory: memory).physical == address)
      }
    }
  }

  /// What the kernel's text lies above its physical address, where the file tells.
  ///
  /// The lowest placement there is the text; with paging=true, QEMU lists modules as well.
  private static func textOffset(_ memory: any MemoryImage) -> UInt64? {
    memory.placements.filter { $0.virtual >= imageBase }.min { $0.virtual < $1.virtual }
      .map { $0.virtual &- $0.physical }
  }

  private init(
    mode: TableFormat, address: UInt64, source: String, imageOffset: UInt64, isVerified: Bool
  ) {
    self.mode = mode
    self.address = address
    self.source = source
    self.imageOffset = imageOffset
    self.isVerified = isVerified
  }

  /// The tables at an address that something else than the kernel's note gives.
  private init(_ mode: TableFormat, at address: UInt64, source: String, memory: any MemoryImage) {
    let directMap = Self.directMap(mode: mode, root: address, memory: memory)
    let text = Self.text(mode: mode, root: address, memory: memory)
    self.init(
      mode: mode, address: address, source: source,
      imageOffset: mode.addressBits == 32
        ? mode.upperHalf : text.map { $0.address &- $0.physical } ?? Self.imageBase,
      isVerified: directMap != nil)
  }

  /// The tables that a processor used, from its registers.
  ///
  /// Bit 12 of CR3 chooses the user's half under PTI, and is an address bit without it: the
  /// kernel's half is the one whose direct map leads to itself.
  private init(_ cpu: KernelImage.CPUState, mode forced: TableFormat?, memory: any MemoryImage) {
    let mode = forced ?? Self.modes(memory, cpu: cpu)[0]
    // With PAE the four top entries may lie anywhere in a page.
    let mask = ~(mode.rootAlignment - 1)
    let whole = cpu.cr3 & mask & 0x000f_ffff_ffff_ffff
    let source = "CR3 of the first CPU (QEMU note)"
    let asIs = Root(mode, at: whole, source: source, memory: memory)
    let kernelHalf = Root(
      mode, at: whole & ~0x1000, source: "\(source), the kernel's half", memory: memory)
    self = !asIs.isVerified && kernelHalf.isVerified ? kernelHalf : asIs
  }

  /// The kernel's own top table, which a symbol tells, instead of a processor's.
  func moved(to swapper: UInt64, source: String, memory: any MemoryImage) -> Root? {
    let own = swapper &- imageOffset
    guard mode.walk(swapper, root: own, memory: memory).physical == own else { return nil }
    return Root(
      mode: mode, address: own, source: source, imageOffset: imageOffset, isVerified: true)
  }

  /// The start of the direct map, found as the place from which the tables lead to themselves.
  static func directMap(mode: TableFormat, root: UInt64, memory: any MemoryImage) -> UInt64? {
    let span = mode.root.span
    var start = mode.upperHalf
    // The last slot is the image's.
    while start > 0, start < (mode.addressBits == 32 ? mode.top : mode.top &- span) {
      if let leaf = mode.firstLeaf(
        from: start, through: start &+ (span &- 1), root: root, memory: memory)
      {
        let base = leaf.address &- leaf.physical
        if base >= mode.upperHalf, base <= leaf.address, base.trailingZeroBitCount >= 21,
          mode.walk(base &+ root, root: root, memory: memory).physical == root
        {
          return base
        }
      }
      start = start &+ span
    }
    return nil
  }

  /// The first page of the kernel image: what lies before it is unmapped when init begins.
  ///
  /// Source: `cleanup_highmap`, arch/x86/mm/init_64.c, 6.12.
  static func text(mode: TableFormat, root: UInt64, memory: any MemoryImage)
    -> (address: UInt64, physical: UInt64)?
  {
    mode.addressBits == 32
      ? nil
      : mode.firstLeaf(
        from: imageBase, through: 0xffff_ffff_bfff_ffff, root: root, memory: memory)
  }
}
