internal import KernelText
internal import PageTables

/// What arm64 Linux writes into its tables, entry by entry.
///
/// Sources: arch/arm64/include/asm/pgtable.h, pgtable-prot.h and pgtable-hwdef.h, 5.10 and 6.12; for
/// stage 2 arch/arm64/kvm/hyp/pgtable.c, 6.12.
extension EntryReading {
  private enum Arm64Bit {
    static let valid: UInt64 = 1
    static let type: UInt64 = 2
    static let user: UInt64 = 1 << 6
    static let readOnly: UInt64 = 1 << 7
    static let accessed: UInt64 = 1 << 10
    static let notGlobal: UInt64 = 1 << 11
    static let modifier: UInt64 = 1 << 51
    static let contiguous: UInt64 = 1 << 52
    /// PTE_PROT_NONE before 6.11.
    static let protNone: UInt64 = 1 << 58
    /// What software keeps in a leaf, and what a table pointer takes from below it.
    static let tableRights: UInt64 = 15 << 59
  }

  mutating func readArm64(_ context: Context) {
    let own = mode.classify(entry, level: level)
    let field = own == .leaf ? mode.level(level).leafField : mode.tableField
    flags = mode.names(entry & ~field.mask, level: level, of: own == .table ? .table : .leaf)
    if let pattern = EntryPattern(entry, bytes: mode.entrySize) {
      (kind, sentence, flags) = (pattern.kind, pattern.sentence, [])
      return
    }
    switch hardware {
    case .notPresent: readInvalid(context.release.flatMap { KernelVersion(release: $0) })
    case .reservedBits(let bits): readArm64Reserved(bits)
    case .table(let next): readArm64Table(next)
    case .leaf(let physical, let size): readArm64Leaf(physical, size, context)
    }
  }

  // MARK: - Valid

  private mutating func readArm64Reserved(_ bits: UInt64) {
    physical = mode.tableField.address(in: entry)
    if entry >> 48 == 0xffff {
      (kind, sentence) = (.address, "a virtual address, no frame: \(entry.entry)")
    } else {
      (kind, sentence) = (.reservedBits, "bits \(bits.entry) are set, which must be clear")
    }
  }

  private mutating func readArm64Table(_ next: UInt64) {
    (kind, physical) = (.table, next)
    access = mode.access(entry, at: mode.level(level))
    sentence = "a pointer to the table at \(next.entry)"
    guard !mode.isArm64Stage2 else { return }
    let limits = [
      (59, "not executable by the kernel"), (60, "not executable by user mode"),
      (61, "closed to user mode"), (62, "read-only"),
    ].filter { entry & 1 << UInt64($0.0) != 0 }.map(\.1)
    if !limits.isEmpty { sentence += "; all below it is " + limits.joined(separator: ", ") }
    // AF is hardware's since 6.13 (ARM64_HAFT), and Linux sets it at once.
    let unusual = entry & 0x07f0_0000_0000_0bfc & ~mode.tableField.mask
    if unusual != 0 {
      notes.append("bits \(unusual.entry): unusual in a pointer to a table")
    }
  }

  private mutating func readArm64Leaf(_ physical: UInt64, _ size: UInt64, _ context: Context) {
    (kind, self.physical, pageSize) = (.leaf, physical, size)
    if mode.isArm64Stage2 {
      readStage2Leaf(physical, size)
      return
    }
    let access = mode.access(entry, at: mode.level(level))
    self.access = access
    let type = typeName(context)
    memoryType = type
    let code = [
      access.contains(.executeInKernel) ? "executable by the kernel" : nil,
      access.contains(.executeInUser) ? "executable by user mode" : nil,
    ].compactMap { $0 }
    sentence =
      "a page of \(size.readableSize) at \(physical.entry): "
      + ([
        access.isUser ? "user" : "kernel", access.isWritable ? "writable" : "read-only",
      ] + (code.isEmpty ? ["no-execute"] : code)
      + [
        entry & Arm64Bit.notGlobal == 0 ? "global" : "not global",
        entry & Arm64Bit.contiguous != 0 ? "one of a contiguous group" : nil, type,
      ].compactMap { $0 }).joined(separator: ", ")
    if entry & Arm64Bit.accessed == 0 {
      notes.append("AF is clear: the first access faults, unless the processor sets AF itself")
    }
    if !access.isWritable, entry & Arm64Bit.modifier != 0 {
      notes.append(
        access.isUser
          ? "DBM: writable and clean; a write makes it dirty"
          : "DBM: Linux may write it, and the processor may make it so")
    }
  }

  /// By the release's numbers of the types; those of today where it is not known.
  private func typeName(_ context: Context) -> String? {
    let names = TableFormat.Arm64MemoryOrder(
      context.release.flatMap { KernelVersion(release: $0) }
    ).names
    let index = Int(entry >> 2 & 7)
    return index < names.count ? names[index] : nil
  }

  /// What XN's two bits allow, and the type of memory; both are stage 2's own.
  private mutating func readStage2Leaf(_ physical: UInt64, _ size: UInt64) {
    var access: Access = entry & 1 << 7 != 0 ? .write : []
    switch entry >> 53 & 3 {
    case 0: access.formUnion([.executeInKernel, .executeInUser])
    case 1: access.insert(.executeInUser)
    case 3: access.insert(.executeInKernel)
    default: break
    }
    self.access = access
    let isReadable = entry & 1 << 6 != 0
    let types: [UInt64: String] = [
      0xf: "MEM/NORMAL", 5: "MEM/NORMAL-NC", 1: "DEVICE/nGnRE", 0: "DEVICE/nGnRnE",
    ]
    memoryType = types[entry >> 2 & 15]
    let code =
      switch entry >> 53 & 3 {
      case 0: "executable"
      case 1: "executable by the guest's user mode"
      case 3: "executable by the guest's kernel"
      default: "no-execute"
      }
    sentence =
      "a guest's page of \(size.readableSize) at \(physical.entry): "
      + [
        isReadable
          ? access.isWritable ? "readable, writable" : "read-only"
          : access.isWritable
            ? "write-only" : "closed", code, memoryType,
      ].compactMap { $0 }.joined(separator: ", ")
  }

  // MARK: - Not valid

  private mutating func readInvalid(_ release: KernelVersion?) {
    guard entry != 0 else {
      (kind, sentence) = (.empty, "empty: nothing is mapped there")
      return
    }
    if entry & 3 == 1 {
      // The encoding of a block where none may be.
      (kind, sentence) = (.unknown, "a block, of which this level has none: the processor faults")
      return
    }
    if mode.isArm64Stage2 {
      (kind, sentence) = (
        .unknown,
        "not valid: KVM keeps there who owns the page (bits 63 to 2), where the guest has none"
      )
      return
    }
    if entry >> 47 == 0x1ffff {
      (kind, sentence, flags) = (.address, "a virtual address, no entry: \(entry.entry)", [])
      return
    }
    if readHidden(release) || readArm64Swap(release) { return }
    (kind, sentence) = (.unknown, "not valid, and nothing that Linux writes into a table")
  }

  /// A page that Linux knows and hides from the processor.
  private mutating func readHidden(_ release: KernelVersion?) -> Bool {
    let frame = mode.level(level).leafField.address(in: entry)
    let isNew = release.map { $0 >= KernelVersion(6, 11) }
    // Source: PAGE_NONE, arch/arm64/include/asm/pgtable-prot.h, 5.10 and 6.12.
    let marksNone =
      entry & Arm64Bit.protNone != 0 && isNew != true
      || entry & Arm64Bit.notGlobal != 0 && isNew != false
    if marksNone, entry & Arm64Bit.readOnly != 0, entry & Arm64Bit.user == 0,
      entry & Arm64Bit.accessed != 0
    {
      (kind, physical) = (.protNone, frame)
      sentence =
        "PROT_NONE: mprotect() or NUMA balancing took all access away; its frame is \(frame.entry)"
      return true
    }
    // The page type's bit and AF stay where the kernel takes the valid bit alone.
    guard entry & Arm64Bit.accessed != 0, level == 1 ? entry & Arm64Bit.type != 0 : true else {
      return false
    }
    physical = frame
    if level > 1 {
      kind = .invalidated
      sentence = "a huge page that Linux is splitting or moving; its frame is \(frame.entry)"
    } else {
      kind = .unmapped
      sentence =
        "a page that the kernel unmapped on purpose (set_memory_valid, DEBUG_PAGEALLOC, "
        + "hibernation, KFENCE); its frame is \(frame.entry)"
    }
    return true
  }

  private mutating func readArm64Swap(_ release: KernelVersion?) -> Bool {
    guard level <= 2, let swap = SwapEntry(arm64: entry, release: release) else { return false }
    (self.swap, flags) = (swap, [])
    let place = "type \(swap.type), offset \(swap.offset.entry)"
    guard let first = swap.meanings.first, release != nil else {
      kind = .swap
      sentence =
        swap.type < 22
        ? "swapped out: \(place)"
        : "not in memory: swap entry of \(place); types that high are Linux' own, which one by the "
          + "release"
      return true
    }
    let isCertain = swap.meanings.count == 1
    kind = !isCertain ? .swap : first == .migration ? .migration : first.kind
    sentence =
      swap.meanings.map(\.words).joined(separator: ", or by the kernel's configuration ")
      + " (swap entry of \(place))"
    if isCertain, first.hasFrame {
      // Source: SWP_PFN_BITS, include/linux/swapops.h, 6.12.
      let frame = swap.offset & (1 << 40 - 1)
      physical = frame &* mode.granule
      sentence += ", the page at \((frame &* mode.granule).entry)"
    }
    return true
  }
}

extension SwapEntry.Meaning {
  fileprivate var kind: EntryReading.Kind {
    switch self {
    case .migration: .migration
    case .poisonedMemory: .poisonedMemory
    case .devicePrivate, .deviceExclusive: .device
    case .marker, .swapInError: .marker
    }
  }
}

extension SwapEntry {
  /// Reads an entry that is not valid; nil where it has no swap entry's shape.
  ///
  /// Source: `__SWP_TYPE_SHIFT` and its kin, arch/arm64/include/asm/pgtable.h: type in bits 2 to 7 and
  /// offset from bit 8 on (5.10), type in 3 to 7 since 6.3, in 6 to 10 and offset from 12 on since 6.11.
  init?(arm64 entry: UInt64, release: KernelVersion?) {
    guard entry & 3 == 0, entry >> 62 == 0 else { return nil }
    let release = release ?? KernelVersion(999, 0)
    if release >= KernelVersion(6, 11) {
      guard entry & 1 << 11 == 0 else { return nil }
      self.init(type: Int(entry >> 6 & 31), offset: entry >> 12, release: release)
    } else {
      guard entry >> 58 == 0 else { return nil }
      let type = release >= KernelVersion(6, 3) ? entry >> 3 & 31 : entry >> 2 & 63
      self.init(type: Int(type), offset: entry >> 8, release: release)
    }
  }
}

/// How well an entry fits its level, 0 to 100, by what Linux writes on arm64.
extension EntryReading {
  var arm64LeafLikelihood: Int {
    guard entry & Arm64Bit.accessed != 0 || mode.isArm64Stage2 else { return 25 }
    return level == 1 ? 60 : 80 - 5 * level
  }

  var arm64TableLikelihood: Int { notes.isEmpty ? 65 : 10 }
}
