extension Access {
  /// The access in x86's bits: RW, US and NX.
  @inlinable package var x86: UInt64 {
    (contains(.write) ? 1 << 1 : 0) | (contains(.user) ? 1 << 2 : 0)
      | (contains(.executeInKernel) ? 0 : 1 << 63)
  }

  @inlinable package init(x86 bits: UInt64) {
    self = []
    if bits & 1 << 1 != 0 { insert(.write) }
    if bits & 1 << 2 != 0 { insert(.user) }
    // One bit forbids execution, whoever tries.
    if bits >> 63 == 0 {
      insert(.executeInKernel)
      if bits & 1 << 2 != 0 { insert(.executeInUser) }
    }
  }
}

extension Run {
  /// `access` in x86's bits, for what has not learnt to ask `access`.
  @inlinable package var effective: UInt64 {
    switch kind {
    case .hole, .unreadable: 0
    case .leaf, .notPresent: access.x86
    }
  }

  @inlinable package init(
    start: UInt64, last: UInt64, kind: Kind, level: Int, flags: UInt64 = 0, effective: UInt64,
    physical: UInt64? = nil, repeats: Bool = false
  ) {
    self.init(
      start: start, last: last, kind: kind, level: level, flags: flags,
      access: kind == .hole || kind == .unreadable ? [] : Access(x86: effective),
      physical: physical, repeats: repeats)
  }
}
