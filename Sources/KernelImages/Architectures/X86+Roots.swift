package import MemoryImages
package import PageTables

/// x86's control registers, of which every state that `X86` read has both.
extension KernelImage.CPUState {
  package var cr3: UInt64 { tableRegisters["CR3"] ?? 0 }
  package var cr4: UInt64 { tableRegisters["CR4"] ?? 0 }
  var fiveLevel: Bool { cr4 & (1 << 12) != 0 }
  var hasPAE: Bool { cr4 & (1 << 5) != 0 }
  var hasPGE: Bool { cr4 & (1 << 7) != 0 }
}

extension X86 {
  /// Those of QEMU's notes, and of `xl dump-core`.
  ///
  /// Sources: `QEMUCPUState`, target/i386/arch_dump.c, QEMU 9: cr[5] from byte 392 on;
  /// `struct vcpu_guest_context`, xen/include/public/arch-x86/xen.h, Xen 4.17: ctrlreg[8] from byte
  /// 4984 on, of 5168 for each processor of 64 bits.
  package func processors(in notes: [ImageNote]) -> [KernelImage.CPUState] {
    notes.filter { $0.name == "QEMU" }.compactMap { Self.registers(in: $0, at: 392) }
      + notes.filter { $0.name == XenCore.registersNote }.flatMap { note in
        Self.xenRegisters(in: note).compactMap { Self.registers(in: note, at: $0) }
      }
  }

  /// Where the control registers of each processor begin in the note of `xl dump-core`.
  private static func xenRegisters(in note: ImageNote) -> [Int] {
    stride(from: 0, to: note.bytes.count, by: 5168).map { $0 + 4984 }
  }

  /// CR0, CR3 and CR4 of an array of the control registers that starts at a byte of a note.
  private static func registers(in note: ImageNote, at start: Int)
    -> KernelImage.CPUState?
  {
    guard let cr0 = note.bytes.u64(at: start), let cr3 = note.bytes.u64(at: start + 24),
      let cr4 = note.bytes.u64(at: start + 32)
    else { return nil }
    let source = note.name == XenCore.registersNote ? "xl dump-core" : "\(note.name) note"
    return KernelImage.CPUState(["CR0": cr0, "CR3": cr3, "CR4": cr4], source: source)
  }

  /// The control registers; of QEMU's note its version and size, too.
  package func keptRegisters(in note: ImageNote) -> [Range<Int>]? {
    switch note.name {
    case "QEMU": [0..<8, 392..<432]
    case XenCore.registersNote: Self.xenRegisters(in: note).map { $0..<($0 + 40) }
    default: nil
    }
  }

  package func likelyFormats(
    _ cpu: KernelImage.CPUState?, _ info: VMCoreInfo?
  ) -> [TableFormat] {
    guard !imageIsInDirectMap else {
      return cpu?.hasPAE ?? true ? [.i386PAE, .i386] : [.i386, .i386PAE]
    }
    if let number = info?.number("pgtable_l5_enabled") {
      return [number == 1 ? .x86_64FiveLevel : .x86_64]
    }
    return cpu?.fiveLevel ?? false
      ? [.x86_64FiveLevel, .x86_64] : [.x86_64, .x86_64FiveLevel]
  }

  package func imageOffsets(_ info: VMCoreInfo, _ memory: any MemoryImage) -> [UInt64] {
    guard let imageSpace else { return TableFormat.i386Splits }
    if let base = info.number("phys_base") { return [imageSpace.lowerBound &- base] }
    // The lowest placement there is the text; with paging=true, QEMU lists modules as well.
    let text = memory.placements.filter { $0.virtual >= imageSpace.lowerBound }
      .min { $0.virtual < $1.virtual }
    return text.map { [$0.virtual &- $0.physical] } ?? []
  }

  /// Before 4.10 VMCOREINFO notes where phys_base lies, not what it holds; the image lies below 4 GiB,
  /// at a multiple of its alignment, and until it is moved its offset is that of its link address.
  ///
  /// Sources: `arch_crash_save_vmcoreinfo`, arch/x86/kernel/machine_kexec_64.c, 2.6.26 and 4.10
  /// (401721ecd1dc); kernels of 64 bits above 4 GiB are moved there by KASLR, 4.8 and later.
  package func possibleImageOffsets(_ info: VMCoreInfo, _ memory: any MemoryImage) -> [UInt64] {
    guard let imageSpace, info.number("phys_base") == nil, info.symbol("phys_base") != nil else {
      return []
    }
    let bases = stride(from: UInt64(0), to: 1 << 32, by: Int(imageAlignment))
    // Downwards, too: KASLR links an image higher than it lies.
    return bases.flatMap { [imageSpace.lowerBound &- $0, imageSpace.lowerBound &+ $0] }
  }

  package func format(
    _ format: TableFormat, imageOffset: UInt64, _ info: VMCoreInfo
  ) -> TableFormat {
    var format = info.encryptionMask.flatMap(format.encrypted) ?? format
    if imageIsInDirectMap { format.upperHalf = imageOffset }
    return format
  }

  /// Bit 12 of CR3 chooses the user's half under PTI, and is an address bit without it.
  package func roots(of cpu: KernelImage.CPUState, _ format: TableFormat) -> [(
    address: UInt64, source: String
  )] {
    let whole = cpu.cr3 & ~(format.rootAlignment - 1) & 0x000f_ffff_ffff_ffff
    let source = "CR3 of the first CPU (\(cpu.source))"
    return [(whole, source), (whole & ~twinBit, "\(source), the kernel's half")]
  }

  /// Source: `PTI_PGTABLE_SWITCH_BIT`, arch/x86/include/asm/pgtable_types.h, 6.12.
  private var twinBit: UInt64 { 0x1000 }

  package func userTwin(of root: UInt64, _ format: TableFormat) -> UInt64 {
    root | twinBit
  }
}
