internal import PageTables

/// Where the kernel's tables start, how they are read, and how that is known.
struct Root {
  let mode: PagingMode
  let address: UInt64
  let source: String

  /// The address space's start that all x86-64 kernels are linked to.
  static let imageBase: UInt64 = 0xffff_ffff_8000_0000
  private static let frame: UInt64 = 0x000f_ffff_ffff_f000

  /// The tables that a kernel's own note leads to.
  init?(_ info: VMCoreInfo, physBase: UInt64, fiveLevel: Bool) {
    guard let swapper = info.symbol("swapper_pg_dir") else { return nil }
    let five = info.number("pgtable_l5_enabled").map { $0 == 1 } ?? fiveLevel
    mode = five ? .x86_64FiveLevel : .x86_64
    address = swapper &- Self.imageBase &+ physBase
    source = "\(info.source): swapper_pg_dir"
  }

  /// The tables that a processor used, from its registers.
  ///
  /// Bit 12 of CR3 chooses the user's half under PTI, and is an address bit without it: the
  /// kernel's half is the one whose direct map leads to itself.
  init(_ cpu: KernelImage.CPUState, mode forced: PagingMode?, memory: ELFImage) {
    let mode = forced ?? (cpu.fiveLevel ? .x86_64FiveLevel : .x86_64)
    let whole = cpu.cr3 & Self.frame
    let kernelHalf = whole & ~0x1000
    let isTwin =
      whole != kernelHalf
      && Self.directMap(mode: mode, root: whole, memory: memory) == nil
      && Self.directMap(mode: mode, root: kernelHalf, memory: memory) != nil
    self.mode = mode
    address = isTwin ? kernelHalf : whole
    source = "CR3 of the first CPU (QEMU note)" + (isTwin ? ", the kernel's half" : "")
  }

  init(mode: PagingMode, address: UInt64, source: String) {
    self.mode = mode
    self.address = address
    self.source = source
  }

  /// Whether the tables map the address that the kernel's note gives of them to themselves.
  func verifies(_ info: VMCoreInfo, memory: ELFImage) -> Bool {
    guard let swapper = info.symbol("swapper_pg_dir") else { return false }
    return mode.walk(swapper, root: address, memory: memory).physical == address
  }

  /// The start of the direct map, found as the place from which the tables lead to themselves.
  static func directMap(mode: PagingMode, root: UInt64, memory: ELFImage) -> UInt64? {
    for slot in 0..<(mode.entriesPerTable / 2 - 1) {
      let start = mode.upperHalf &+ UInt64(slot) &* mode.root.span
      guard
        let leaf = mode.firstLeaf(
          from: start, through: start &+ (mode.root.span &- 1), root: root, memory: memory)
      else { continue }
      let base = leaf.address &- leaf.physical
      if base >= mode.upperHalf, base <= leaf.address, base.trailingZeroBitCount >= 21,
        mode.walk(base &+ root, root: root, memory: memory).physical == root
      {
        return base
      }
    }
    return nil
  }

  /// The first page of the kernel image: what lies before it is unmapped when init begins.
  ///
  /// Source: `cleanup_highmap`, arch/x86/mm/init_64.c, 6.12.
  static func text(mode: PagingMode, root: UInt64, memory: ELFImage)
    -> (address: UInt64, physical: UInt64)?
  {
    mode.firstLeaf(from: imageBase, through: 0xffff_ffff_bfff_ffff, root: root, memory: memory)
  }
}
