/// Neighbouring addresses that are mapped alike.
public struct Mapping: Sendable, Equatable {
  /// The first address.
  public let start: UInt64
  /// The last address: the end of the topmost mapping does not fit 64 bits.
  public let last: UInt64
  /// The size of its pages in bytes: 4 KiB, 2 MiB or 1 GiB, or 4 MiB.
  public let pageSize: UInt64
  /// Where `start` lies in physical memory; nil in a text dump, which does not tell.
  public let physical: UInt64?
  /// Whether a write is allowed, by the upper levels too as far as the source tells them.
  public let isWritable: Bool
  /// Whether code may run there, by the upper levels too as far as the source tells them.
  public let isExecutable: Bool
  /// Whether user mode may use it, by the upper levels too as far as the source tells them.
  public let isUser: Bool
  /// Whether it stays in the TLB when the processor takes another root.
  public let isGlobal: Bool
  /// The leaf's own flags, in the spelling of the kernel's dump: `RW`, `USR`, `GLB`, `NX`, ...
  public let flags: [String]

  /// The 4 KiB pages that it covers.
  public var pages: UInt64 { (last - start) / 4096 + 1 }

  /// Whether `address` lies in it.
  public func contains(_ address: UInt64) -> Bool { start <= address && address <= last }
}

extension AddressSpace {
  /// The run as the public API shows it; nil for what maps nothing.
  package func mapping(_ run: Run) -> Mapping? {
    guard run.isLeaf else { return nil }
    let level = Int(run.level)
    return Mapping(
      start: run.start, last: run.last, pageSize: mode.level(level).span, physical: run.physical,
      isWritable: run.access.isWritable, isExecutable: run.access.isExecutable,
      isUser: run.access.isUser, isGlobal: mode.isGlobal(run.flags),
      flags: mode.names(run.flags, level: level))
  }
}
