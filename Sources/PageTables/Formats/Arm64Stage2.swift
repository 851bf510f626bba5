extension TableFormat {
  /// The tables by which KVM maps a guest's physical addresses (stage 2), for single entries.
  ///
  /// Sources: Arm ARM, D8.3.2; arch/arm64/kvm/hyp/pgtable.c, 6.12. How many levels a guest has and
  /// how wide its addresses are is the guest's own; here it is as many as 48 bits need.
  package static func arm64Stage2(_ granule: Arm64Granule) -> TableFormat {
    arm64(
      "arm64 \(granule.name.uppercased()) stage 2", granule, bits: 48,
      attributes: arm64Stage2Attributes, halves: .whole(bits: 48), hasOneRoot: true,
      memoryTypes: nil)
  }

  /// Whether it is of stage 2, whose entries say other things in the same bits.
  package var isArm64Stage2: Bool { isArm64 && name.hasSuffix("stage 2") }

  /// In the order of KVM's own dump (arch/arm64/kvm/ptdump.c, 6.12).
  ///
  /// XN has two bits, of which no one forbids by itself: bit 54 alone forbids both, and with bit 53 a
  /// user's code alone; bit 53 alone forbids the kernel's. The rights here are those of kernels
  /// without FEAT_XNX, which never set bit 53.
  private static let arm64Stage2Attributes: [Attribute] = [
    Attribute(.set(1), inTable: .set(1), set: "V", clear: "F"),
    Attribute(.set(1 << 6), set: "R", clear: " "),
    Attribute(.set(1 << 7), gives: .write, set: "W", clear: " "),
    Attribute(.set(1 << 54), takes: [.executeInKernel, .executeInUser], set: "XN1", clear: "   "),
    Attribute(.set(1 << 53), set: "XN0", clear: "   "),
    Attribute(.set(1 << 10), set: "AF", clear: "  "),
    Attribute(.clear(1 << 1), set: "BLK", clear: "   ", levels: 2...7),
    Attribute(.set(3 << 8), set: "SHD", printed: false),
    Attribute(.set(1 << 11), set: "FnXS", printed: false),
    Attribute(.set(1 << 51), set: "DBM", printed: false),
    Attribute(.set(1 << 52), set: "CON", printed: false),
  ]
}
