internal import KernelImages
internal import PageTables

/// What the architecture knows of a kernel, asked of its facts.
extension Subject {
  var architecture: any Architecture { mode.architecture }

  /// Whether the image has no mapping of its own, but is a part of the direct map.
  var imageLiesInDirectMap: Bool { architecture.imageIsInDirectMap }

  /// Whether a process's kernel half is filled when it is touched, not when the kernel's changes.
  var fillsKernelHalfLazily: Bool { architecture.fillsKernelHalfLazily(facts) }

  /// Whether each process has tables of its own for the kernel's half; nil where it is not known.
  var processesOwnKernelHalf: Bool? { architecture.processesOwnKernelHalf(mode, facts) }

  /// The addresses that only the image may use; nil where it has no mapping of its own.
  var imageSpace: ClosedRange<UInt64>? { architecture.imageSpace(facts, end: symbols?["_end"]) }

  /// Whether a root is the first of the pair that isolation makes: the kernel's own table.
  func isKernelsOwn(_ root: UInt64) -> Bool { architecture.userTwin(of: root, mode) != root }
}
