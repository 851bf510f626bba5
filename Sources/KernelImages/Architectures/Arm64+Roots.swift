internal import KernelText
package import MemoryImages
package import PageTables

/// How arm64's kernels note their tables.
extension Arm64 {
  /// None: QEMU's dumps have no system register, and a vmcore's have none either.
  package func processors(in notes: [ImageNote]) -> [KernelImage.CPUState] { [] }
  package func keptRegisters(in note: ImageNote) -> [Range<Int>]? { nil }
  package func roots(of cpu: KernelImage.CPUState, _ format: TableFormat) -> [(
    address: UInt64, source: String
  )] { [] }

  static func granule(_ bytes: UInt64) -> TableFormat.Arm64Granule? {
    TableFormat.Arm64Granule.allCases.first { bytes == 1 << UInt64($0.rawValue) }
  }

  /// The widths that a kernel may run with: the one that its register has, else the one that it was
  /// made for, and the one to which it then goes back on processors without it.
  ///
  /// Sources: kernel/vmcore_info.c, 6.12 (TCR_EL1_T1SZ since 5.11); `VA_BITS_MIN`,
  /// arch/arm64/include/asm/memory.h, 6.12.
  private func widths(_ info: VMCoreInfo?, _ granule: TableFormat.Arm64Granule) -> [Int] {
    guard let info else { return granule.widths }
    if let size = info.number("TCR_EL1_T1SZ"), size < 64 { return [64 - Int(size)] }
    guard let made = info.number("VA_BITS").map(Int.init(clamping:)) else { return granule.widths }
    return made <= 48 ? [made] : [made, granule == .sixteenK ? 47 : 48]
  }

  package func likelyFormats(
    _ cpu: KernelImage.CPUState?, _ info: VMCoreInfo?
  ) -> [TableFormat] {
    let granule = info?.hexOrDecimal("PAGESIZE").flatMap(Self.granule)
    let order = TableFormat.Arm64MemoryOrder(
      info?["OSRELEASE"].flatMap { KernelVersion(release: $0) })
    let formats = (granule.map { [$0] } ?? TableFormat.Arm64Granule.allCases).flatMap { granule in
      widths(info, granule).filter(granule.widths.contains).map {
        TableFormat.arm64(granule, bits: $0, order: order)
      }
    }
    return formats.isEmpty ? TableFormat.arm64Formats : formats
  }

  /// Source: `kimage_voffset`, arch/arm64/include/asm/memory.h, 6.12; noted since 4.12.
  package func imageOffsets(_ info: VMCoreInfo, _ memory: any MemoryImage) -> [UInt64] {
    info.number("kimage_voffset").map { [$0] } ?? []
  }

  package func possibleImageOffsets(_ info: VMCoreInfo, _ memory: any MemoryImage) -> [UInt64] {
    []
  }

  package func format(
    _ format: TableFormat, imageOffset: UInt64, _ info: VMCoreInfo
  ) -> TableFormat { format }

  /// A kernel of 64K pages made for 52 bits has 1024 entries in its top table, and runs with 48 bits
  /// in the last 64 of them.
  ///
  /// Source: `phys_to_ttbr` and `offset_ttbr1`, arch/arm64/include/asm/assembler.h, 6.12.
  package func root(
    inTopTable address: UInt64, _ format: TableFormat, _ info: VMCoreInfo
  ) -> UInt64 {
    guard format.granule == 1 << 16, info.number("VA_BITS") == 52, format.root.entries == 64 else {
      return address
    }
    return address &+ (1024 - 64) * 8
  }

  /// The trampoline's table, with which programs run under KPTI.
  ///
  /// Source: `TRAMP_SWAPPER_OFFSET`, arch/arm64/include/asm/memory.h, 6.12; two pages before the
  /// kernel's since 5.11.
  package func userTwin(of root: UInt64, _ format: TableFormat) -> UInt64 {
    root &- 2 * format.granule
  }

  /// Those of the kernel's half: its own, the trampoline's, and the empty one between them.
  package func isOfKernelHalf(_ root: UInt64, beside own: UInt64, _ format: TableFormat) -> Bool {
    (0...2).contains { own &- UInt64($0) * format.granule == root }
  }

  package func lowerHalf(_ format: TableFormat) -> TableFormat { format.arm64Lower }
}

extension VMCoreInfo {
  /// A number of a key without `NUMBER(…)`, in decimal or, after `0x`, in hexadecimal.
  func hexOrDecimal(_ key: String) -> UInt64? {
    self[key].flatMap { $0.hasPrefix("0x") ? UInt64(hexText: $0) : UInt64($0) }
  }
}
