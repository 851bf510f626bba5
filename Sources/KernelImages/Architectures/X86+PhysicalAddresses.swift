/// How wide x86's physical addresses are.
extension X86 {
  /// The bits of a physical address by the end of the kernel's resource tree: `2^bits - 1`.
  ///
  /// Memory encryption may take some of them away later; those stay allowed. Source: `setup_arch`,
  /// arch/x86/kernel/setup.c, 6.12.
  package func physicalBits(memoryEnd: UInt64) -> Int? {
    let size = memoryEnd &+ 1
    let bits = size.trailingZeroBitCount
    return size.nonzeroBitCount == 1 && (36...52).contains(bits) ? bits : nil
  }

  /// What marks a guest that shares memory by an address bit, which may lie above the processor's.
  ///
  /// Source: `tdx_early_init`, arch/x86/coco/tdx/tdx.c, and `hv_vtom_init`, arch/x86/hyperv/ivm.c,
  /// 6.12.
  package var sharingMessages: [String] { ["Intel TDX", "Isolation Config:"] }
}
