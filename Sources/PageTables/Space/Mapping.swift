/// Neighbouring addresses that are mapped alike.
public struct Mapping: Sendable, Equatable {
  /// Its addresses.
  public let range: AddressRange
  /// The size of its pages in bytes: 4 KiB, 2 MiB or 1 GiB, or 4 MiB.
  public let pageSize: UInt64
  /// Where its first address lies in physical memory; nil in a text dump, which does not tell.
  public let physical: UInt64?
  /// Whether a write is allowed, by the upper levels too as far as the source tells them.
  public let isWritable: Bool
  /// Whether code may run there, by the upper levels too as far as the source tells them.
  public let isExecutable: Bool
  /// Whether user mode may use it, by the upper levels too as far as the source tells them.
  public let isUser: Bool
  /// Whether it stays in the TLB when the processor takes another root.
  public let isGlobal: Bool
  /// How the processor may cache it, as Linux sets the types up; nil where the format does not tell.
  public let memoryType: MemoryType?
  /// The leaf's own flags, in the spelling of the kernel's dump: `RW`, `USR`, `GLB`, `NX`, ...
  public let flags: [String]
}

/// Addresses from a first one up to an end that is no part of them, as the JSON reports have them.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
  /// The first address.
  public let start: UInt64
  /// The address after the last one; 0 at the top of the address space, which 64 bits do not reach.
  public let end: UInt64

  package init(_ range: ClosedRange<UInt64>) {
    start = range.lowerBound
    end = range.upperBound &+ 1
  }

  /// The bytes that it covers; 0 for all of the address space.
  public var size: UInt64 { end &- start }

  /// Whether `address` lies in it.
  public func contains(_ address: UInt64) -> Bool { start <= address && address <= end &- 1 }

  /// `0xffffffff81000000-0xffffffff82000000`, as reports print it.
  public var description: String { "\(start.address)-\(end.address)" }
}

extension AddressSpace {
  /// The run as the public API shows it; nil for what maps nothing.
  package func mapping(_ run: Run) -> Mapping? {
    guard run.isLeaf else { return nil }
    let level = Int(run.level)
    return Mapping(
      range: AddressRange(run.start...run.last), pageSize: mode.level(level).span,
      physical: run.physical,
      isWritable: run.access.isWritable, isExecutable: run.access.isExecutable,
      isUser: run.access.isUser, isGlobal: mode.isGlobal(run.flags),
      memoryType: mode.memoryType(of: run),
      flags: mode.names(run.flags, level: level))
  }
}
