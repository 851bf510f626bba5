internal import KernelText
internal import PageTables

/// What x86 Linux writes into its tables, entry by entry.
///
/// Sources: arch/x86/include/asm/pgtable_types.h, pgtable_64.h, pgtable-invert.h and
/// arch/x86/mm/pat/set_memory.c, 6.1 and 6.12.
extension EntryReading {
  private enum Bit {
    static let (accessed, dirty): (UInt64, UInt64) = (1 << 5, 1 << 6)
    static let cache: UInt64 = 1 << 3 | 1 << 4
    /// Xen's own mark of a guest kernel's page.
    static let xenKernel: UInt64 = 1 << 52
    static let key: UInt64 = 15 << 59
  }

  mutating func read(_ context: Context) {
    let release = context.release.flatMap { KernelVersion(release: $0) }
    let own = mode.classify(entry, level: level)
    flags = mode.names(entry & ~frameMask, level: level, of: own == .table ? .table : .leaf)
    if let pattern = EntryPattern(entry, bytes: mode.entrySize) {
      (kind, sentence) = (pattern.kind, pattern.sentence)
      flags = []
      return
    }
    switch hardware {
    case .notPresent: readNotPresent(release)
    case .reservedBits(let bits): readReserved(bits)
    case .table(let next): readTable(next)
    case .leaf(let physical, let size): readLeaf(physical, size, context)
    }
    if hardware != .notPresent, !kind.isDamage { judgeFrame(context) }
    noteEncryption(context)
  }

  private var frameMask: UInt64 {
    if case .leaf = hardware { mode.level(level).leafAddress } else { mode.tableAddress }
  }

  // MARK: - Present

  private mutating func readTable(_ next: UInt64) {
    kind = .table
    physical = next
    access = ownAccess
    sentence = "a pointer to the table at \(next.entry)"
    var limits: [String] = []
    if entry & mode.write == 0, !grants(mode.write) { limits.append("read-only") }
    if entry & mode.user == 0, !grants(mode.user) { limits.append("kernel only") }
    if mode.noExecute != 0, entry & mode.noExecute != 0 { limits.append("no-execute") }
    if !limits.isEmpty { sentence += "; all below it is " + limits.joined(separator: ", ") }
    let unusual = mode.names(entry & (Bit.cache | mode.global), level: level)
    if !unusual.isEmpty {
      notes.append("\(unusual.joined(separator: " ")): unusual in a pointer to a table")
    }
  }

  private mutating func readLeaf(_ physical: UInt64, _ size: UInt64, _ context: Context) {
    kind = .leaf
    self.physical = physical
    pageSize = size
    let access = ownAccess
    self.access = access
    memoryType = mode.memoryType(of: entry, level: level)?.rawValue
    sentence =
      "a page of \(size.readableSize) at \(physical.entry): "
      + [
        access.isUser ? "user" : "kernel", access.isWritable ? "writable" : "read-only",
        mode.noExecute == 0 ? nil : access.isExecutable ? "executable" : "no-execute",
        entry & mode.global != 0 ? "global" : nil,
        memoryType == MemoryType.writeBack.rawValue ? nil : memoryType,
      ].compactMap { $0 }.joined(separator: ", ")
    guard mode.entrySize == 8 else { return }
    let key = (entry & Bit.key) >> 59
    if access.isUser, key != 0 { notes.append("protection key \(key)") }
    if entry & Bit.xenKernel != 0, access.isUser, context.isXen != false {
      notes.append(
        "bit 52 and USR: a kernel page of a Xen PV guest; Xen sets both"
          + (context.isXen == nil ? ", if this is one" : ""))
    }
  }

  private var ownAccess: Access { mode.access(entry, at: mode.level(level)) }

  private func grants(_ flag: UInt64) -> Bool { mode.level(level).grants & flag != 0 }

  /// Tells whose data an entry with bits that must be clear may be.
  private mutating func readReserved(_ bits: UInt64) {
    physical = entry & mode.tableAddress
    if let address = virtualAddress {
      (kind, sentence) = (.address, "a virtual address, no frame: \(address)")
    } else if bits & ~mode.tableAddress == 0, bits > 0xffff_ffff {
      kind = .unreachableFrame
      sentence =
        "its frame \((entry & frameMask).entry) lies above what the processor can address"
    } else {
      kind = .reservedBits
      sentence = "bits \(bits.entry) are set, which must be clear"
    }
  }

  /// A frame that no sound entry has, by what is known of the machine.
  private mutating func judgeFrame(_ context: Context) {
    guard let frame = physical, mode.entrySize == 8 else { return }
    if let address = virtualAddress {
      (kind, sentence) = (.address, "a virtual address, no frame: \(address)")
      return
    }
    // Source: MAX_PHYSMEM_BITS, arch/x86/include/asm/sparsemem.h, 6.1: 46 bits with four levels.
    let isBeyondLinux = frame >> 46 != 0 && mode.levels.count < 5
    let strayBits = entry & 0x07f0_0000_0000_0000 & ~(Bit.xenKernel | 3 << 57)
    if isBeyondLinux, context.physicalBits == nil, !looksEncrypted || strayBits != 0 {
      kind = .unreachableFrame
      sentence =
        "its frame \(frame.entry) lies above what Linux uses with four levels (2^46): most "
        + "processors fault on it, and it points to no memory"
    } else if let end = context.memoryEnd, frame >= end {
      notes.append(
        "the frame lies above the machine's memory, which ends at \(end.entry): a device, or a "
          + "wrong address")
    }
    if strayBits != 0 {
      notes.append("bits \(strayBits.entry) are set, which neither the processor nor Linux uses")
    }
  }

  /// Whether a lone high bit could be that of encrypted memory.
  private var looksEncrypted: Bool {
    let high = entry & mode.tableAddress & ~0x0000_3fff_ffff_ffff
    return high == 1 << 47 || high == 1 << 51
  }

  /// The entry as a kernel's address: all ones from bit 47 on, and not only by inversion.
  private var virtualAddress: String? {
    guard mode.entrySize == 8, mode.levels.count > 3, entry >> 47 == 0x1ffff,
      entry & mode.present == 0 || entry & mode.tableAddress != mode.tableAddress
    else { return nil }
    return entry.entry
  }

  private mutating func noteEncryption(_ context: Context) {
    guard hardware != .notPresent, !kind.isDamage, mode.entrySize == 8 else { return }
    if let encryption = context.encryption {
      let isSet = entry & encryption.mask != 0
      let isShared = isSet == encryption.setMeansShared
      if isShared, kind == .leaf {
        notes.append("shared with the host: the memory is not encrypted")
      } else if isShared, kind == .table, !encryption.setMeansShared {
        notes.append("the table is not in encrypted memory")
      }
    } else if looksEncrypted {
      let bit = 63 - (entry & mode.tableAddress).leadingZeroBitCount
      notes.append(
        "bit \(bit) marks encrypted memory (AMD SME, SEV) or shared memory (TDX), if the machine "
          + "has that; the frame is then \(((physical ?? 0) & ~(1 << UInt64(bit))).entry)")
    }
  }

  // MARK: - Not present

  private mutating func readNotPresent(_ release: KernelVersion?) {
    guard entry != 0 else {
      (kind, sentence) = (.empty, "empty: nothing is mapped there")
      return
    }
    if mode.entrySize == 8, entry & ~(Bit.accessed | Bit.dirty) == 0 {
      (kind, sentence) = (
        .empty, "empty but for A or D, which some processors set (Knights Landing)"
      )
      return
    }
    if readHiddenPage(release) || readSwap(release) { return }
    if release.map({ $0 < KernelVersion(4, 0, 0) }) == true, level == 1,
      entry & (Bit.dirty | mode.global) == Bit.dirty, entry & Bit.accessed == 0
    {
      // Source: `_PAGE_FILE`, arch/x86/include/asm/pgtable_types.h, up to 3.19.
      (kind, sentence) = (.nonlinear, "a page of a nonlinear file mapping, not in memory")
      return
    }
    if entry >> 47 == 0x1ffff, mode.levels.count > 3 {
      (kind, sentence) = (.address, "a virtual address, no entry: \(entry.entry)")
      flags = []
    } else if entry & (Bit.accessed | Bit.dirty) != 0 {
      readUnmapped()
    } else {
      (kind, sentence) = (.unknown, "not present, and nothing that Linux writes into a table")
    }
  }

  /// A page that Linux knows and hides from the processor.
  private mutating func readHiddenPage(_ release: KernelVersion?) -> Bool {
    // Source: _PAGE_BIT_PROTNONE, arch/x86/include/asm/pgtable_types.h: G since 2.6.29, PSE before.
    let isOld = release.map { $0 < KernelVersion(2, 6, 29) } == true
    let protNone = isOld ? mode.large : mode.global
    if level > 1, !isOld, entry & mode.large != 0, entry & mode.global == 0 {
      kind = .invalidated
      physical = storedFrame(mode.level(level).leafAddress)
      sentence =
        "a huge page that Linux is splitting or moving; its frame is \((physical ?? 0).entry)"
        + invertedWords
      return true
    }
    guard entry & protNone != 0, level == 1 || isOld || entry & mode.large != 0 else {
      return false
    }
    if !isOld, entry & mode.write != 0, entry & Bit.dirty != 0 {
      readUnmapped()
      return true
    }
    kind = .protNone
    let frame = storedFrame(level == 1 ? mode.tableAddress : mode.level(level).leafAddress)
    physical = frame
    sentence =
      frame == 0
      ? "PROT_NONE without a page: the kernel's placeholder, as in the cpu entry area"
      : "PROT_NONE: mprotect() or NUMA balancing took all access away; its frame is "
        + "\(frame.entry)\(invertedWords)"
    return true
  }

  /// What set_memory_np() and its kin leave of a page of the kernel.
  private mutating func readUnmapped() {
    guard level == 1 || storedFrame(mode.level(level).reservedInLeaf & mode.tableAddress) == 0
    else {
      (kind, sentence) = (.unknown, "not present, and nothing that Linux writes into a table")
      return
    }
    kind = .unmapped
    let frame = storedFrame(level == 1 ? mode.tableAddress : mode.level(level).leafAddress)
    physical = frame
    sentence =
      "a page that the kernel unmapped on purpose (set_memory_np, DEBUG_PAGEALLOC, hibernation, "
      + "KFENCE); its frame is \(frame.entry)\(invertedWords)"
  }

  private var isInverted: Bool { mode.invertedFrame != 0 && entry & mode.invertedFrame != 0 }

  private var invertedWords: String {
    isInverted ? ", stored inverted against L1TF" : mode.entrySize == 8 ? ", not inverted" : ""
  }

  private func storedFrame(_ mask: UInt64) -> UInt64 {
    (isInverted ? ~entry : entry) & mask
  }

  private mutating func readSwap(_ release: KernelVersion?) -> Bool {
    guard let swap = SwapEntry(entry, mode: mode, release: release), level <= 2 else {
      return false
    }
    // A pointer may look like a marker with an absurd offset.
    if entry >> 47 == 0x1ffff, swap.type == 31, swap.offset > 0xff { return false }
    self.swap = swap
    flags = []
    let place = "type \(swap.type), offset \(swap.offset.entry)"
    guard let first = swap.meanings.first, swap.type >= 22 else {
      kind = .swap
      sentence = "swapped out: \(place)"
      return true
    }
    guard release != nil else {
      kind = .swap
      sentence =
        "not in memory: swap entry of \(place); types that high are Linux' own (a page that is "
        + "being migrated, failed memory, a device's page, a marker), which one by the release"
      return true
    }
    let isCertain = swap.meanings.count == 1
    kind = isCertain ? Self.kind(of: first) : .swap
    sentence =
      swap.meanings.map(\.words).joined(separator: ", or by the kernel's configuration ")
      + " (swap entry of \(place))"
    if isCertain { nameTarget(of: first, swap.offset) }
    return true
  }

  private static func kind(of meaning: SwapEntry.Meaning) -> Kind {
    switch meaning {
    case .migration: .migration
    case .poisonedMemory: .poisonedMemory
    case .devicePrivate, .deviceExclusive: .device
    case .marker, .swapInError: .marker
    }
  }

  /// The frame of an entry that has one, or the marker's name.
  private mutating func nameTarget(of meaning: SwapEntry.Meaning, _ offset: UInt64) {
    if meaning.hasFrame {
      // Source: SWP_PFN_BITS, include/linux/swapops.h, 6.1; A and D stand above the frame number.
      let bits: UInt64 = mode.levels.count > 4 ? 40 : 34
      let frame = (offset & ((1 << bits) - 1)) << 12
      physical = frame
      sentence += ", the page at \(frame.entry)"
    } else if meaning == .marker {
      // Source: PTE_MARKER_UFFD_WP, PTE_MARKER_POISONED, PTE_MARKER_GUARD, include/linux/swapops.h.
      let names = [(1, "write-protected by userfaultfd"), (2, "poisoned"), (4, "a guard page")]
      let set = names.filter { offset & UInt64($0.0) != 0 }.map(\.1)
      if !set.isEmpty { sentence += ": " + set.joined(separator: ", ") }
    }
  }
}
