internal import KernelImages
internal import PageTables

/// Whether a failing entry is a large one.
extension SelfTestJudge {
  enum LeafSize {
    case large, fourK, unknown
    /// The text ends within or after the entry, and its frame does not belong to the address.
    case cutOff
  }

  /// Where direct maps start as long as KASLR moves none.
  static let fixedBases: [UInt64] =
    [.x86_64, .x86_64FiveLevel].flatMap {
      X86.x86_64.unmovedDirectMaps($0)
    } + TableFormat.i386Splits

  /// Returns where the direct map may begin.
  static func directMapBases(_ run: SelfTestRun, _ evidence: Evidence) -> [UInt64] {
    if let base = evidence.directMapBase { return [base] }
    // KASLR: the entries whose level the log tells show the base.
    var bases: Set<UInt64> = []
    for failure in run.failures where failure.level == 2 && failure.kinds.contains(.badEntry) {
      // Without PAE a large page of 32 bits has 4 MiB.
      guard failure.address >> 32 != 0 else { continue }
      guard let entry = failure.entry, entry & large != 0 else { continue }
      let base = (failure.address & ~0x1f_ffff) &- (entry & 0x000f_ffff_ffe0_0000)
      bases.insert(base)
    }
    return bases.count == 1 ? Array(bases) : fixedBases
  }

  /// Returns whether the entry is large, from the level or from its frame.
  static func leafSize(
    _ failure: SelfTestFailure, _ run: SelfTestRun, _ bases: [UInt64]
  ) -> LeafSize {
    if failure.kinds.contains(.unexpectedLevel) { return .large }
    guard let entry = failure.entry ?? failure.entryAfterRevert else { return .unknown }
    let frame = entry & 0x000f_ffff_ffff_f000
    for base in bases where failure.address >= base {
      let offset = failure.address - base
      if offset == frame, offset & 0x1f_ffff != 0 || entry & large == 0 { return .fourK }
      // Bit 12 of a large entry is its PAT bit.
      guard entry & (present | large) == present | large else { continue }
      guard !failure.isEntryAtEnd || frame != 0 else { continue }
      for size in sizes(failure.address) where offset & (size - 1) != 0 {
        if offset & ~(size - 1) == frame & ~0x1000, frame & ~0x1000 & (size - 1) == 0 {
          return .large
        }
      }
    }
    if failure.isEntryAtEnd { return .cutOff }
    // A present leaf without bit 7 is one of 4 KiB.
    if entry & large == 0, failure.kinds.contains(.badEntry) { return .fourK }
    // The level line follows at once, so its absence tells something unless the log ends there.
    let isCut = failure.isLastWord || run.hasDroppedMessages
    return failure.kinds.contains(.badEntry) && !isCut ? .fourK : .unknown
  }

  static func sizes(_ address: UInt64) -> [UInt64] {
    address >> 32 == 0 ? [1 << 21, 1 << 22] : [1 << 21, 1 << 30]
  }
}
