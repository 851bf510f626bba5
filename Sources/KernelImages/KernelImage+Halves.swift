package import PageTables

/// Which half of the addresses a root is of, where each half has one of its own.
extension KernelImage {
  /// How the tables below a root are read: where each half has a root of its own, any that is not the
  /// kernel's is of the other half.
  package func mode(ofRoot root: UInt64) -> TableFormat {
    let isKernels =
      mode.hasOneRoot || otherRoots.contains(root)
      || architecture.isOfKernelHalf(root, beside: self.root, mode)
    return isKernels ? mode : architecture.lowerHalf(mode)
  }

  package func walk(_ address: UInt64, root: UInt64? = nil) -> WalkResult {
    let root = root ?? self.root
    let format = mode(ofRoot: root)
    if !mode.hasOneRoot, format == mode ? address < mode.bottom : address >= mode.bottom {
      // An address of the other half: the kernel's is the same for all roots.
      return address < mode.bottom
        ? WalkResult(steps: [], end: .notPresent)
        : mode.walk(address, root: self.root, memory: memory)
    }
    return format.walk(address, root: root, memory: memory)
  }
}
