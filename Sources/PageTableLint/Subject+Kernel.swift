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

  /// A table's direct map, and where physical address zero would be in it; nil where the area is not
  /// known to belong to that base.
  ///
  /// Where each half has a root of its own, memory may start anywhere, and the base lies outside of
  /// the area, modulo 2^64.
  func directMap(of table: Table) -> (area: Area, base: UInt64)? {
    guard let base = facts.directMap?.value, let area = table.layout.first(.directMap),
      !mode.hasOneRoot || area.start == base
    else { return nil }
    return (area, base)
  }

  /// Whether a root is the first of the pair that isolation makes: the kernel's own table.
  func isKernelsOwn(_ root: UInt64) -> Bool { architecture.userTwin(of: root, mode) != root }
}
