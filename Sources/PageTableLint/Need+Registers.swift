internal import KernelImages

/// What processors' registers tell.
extension Rule.Need {
  static let registers = Rule.Need(
    "the processors' control registers (QEMU's note)",
    "no note tells the control registers of a processor that runs"
  ) { $0.image?.registerStates.isEmpty == false }
}
