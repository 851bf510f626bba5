package import PageTables

/// What one table entry is: to the processor, and to Linux.
///
/// A pure function of the entry, its level and what is known of the kernel; it reads no memory.
package struct EntryReading: Sendable, Equatable {
  /// What the processor does with the entry.
  package enum Hardware: Sendable, Equatable {
    /// It faults: the present bit is clear.
    case notPresent
    /// It goes on to the table there.
    case table(UInt64)
    /// It maps memory: the frame and its bytes.
    case leaf(physical: UInt64, size: UInt64)
    /// It faults: these bits must be clear.
    case reservedBits(UInt64)
  }

  /// What Linux means by it, or what was written over it.
  package enum Kind: String, Sendable, CaseIterable {
    case empty
    case table
    case leaf
    /// A user's page without any access, or a page of NUMA balancing.
    case protNone = "prot-none"
    /// A page of the kernel that it took away: set_memory_np, DEBUG_PAGEALLOC, hibernation, KFENCE.
    case unmapped
    /// A huge page that is being split or moved.
    case invalidated
    case swap
    case migration
    case poisonedMemory = "hwpoison"
    case marker
    case device
    /// A page of a nonlinear file mapping, before 4.0.
    case nonlinear
    /// Memory that was given back, or never written: a pattern of the kernel's debugging.
    case poison
    /// Printable text.
    case text
    /// A virtual address.
    case address
    case allOnes = "all-ones"
    case reservedBits = "reserved-bits"
    /// A frame that the processor cannot address.
    case unreachableFrame = "unreachable-frame"
    /// Not present and nothing that Linux writes.
    case unknown

    /// Whether neither Linux nor the processor writes such an entry into a sound table.
    package var isDamage: Bool {
      switch self {
      case .poison, .text, .address, .allOnes, .reservedBits, .unreachableFrame: true
      case .empty, .table, .leaf, .protNone, .unmapped, .invalidated, .swap, .migration,
        .poisonedMemory, .marker, .device, .nonlinear, .unknown:
        false
      }
    }
  }

  package let entry: UInt64
  package let mode: TableFormat
  /// The number of its level; 1 is the pte.
  package let level: Int
  package let hardware: Hardware
  package var kind: Kind
  /// The physical page, or that of the next table; un-inverted where Linux stored it inverted.
  package var physical: UInt64?
  /// The bytes that a leaf maps.
  package var pageSize: UInt64?
  /// What the entry itself allows; the levels above may take it back.
  package var access: Access?
  /// `WB`, `UC-`, ...: what the cache bits of a leaf choose by Linux' table.
  package var memoryType: String?
  /// The names of the flags that are set, in the kernel's spelling.
  package var flags: [String]
  /// What a swap entry names.
  package var swap: SwapEntry?
  /// What it is, in words that follow `pte 0x...:`.
  package var sentence: String
  /// What else is worth knowing: encryption, Xen, unusual bits.
  package var notes: [String] = []

  /// What is known of the kernel and the machine; all of it may be unknown.
  package struct Context: Sendable, Equatable {
    /// `6.12.117`, `3.10.0-862.el7`.
    package var release: String?
    /// How many bits a physical address has (MAXPHYADDR).
    package var physicalBits: Int?
    /// The first address above the machine's memory.
    package var memoryEnd: UInt64?
    /// The address bit that says whether memory is encrypted, and what the bit means.
    package var encryption: Encryption?
    /// Whether the kernel is a Xen PV guest.
    package var isXen: Bool?

    package init(
      release: String? = nil, physicalBits: Int? = nil, memoryEnd: UInt64? = nil,
      encryption: Encryption? = nil, isXen: Bool? = nil
    ) {
      self.release = release
      self.physicalBits = physicalBits
      self.memoryEnd = memoryEnd
      self.encryption = encryption
      self.isXen = isXen
    }
  }

  /// An address bit of the entries that is no address.
  ///
  /// Source: `cc_mkenc`, arch/x86/coco/core.c, 6.12: AMD sets it for encrypted memory, TDX for shared.
  package struct Encryption: Sendable, Equatable {
    package let mask: UInt64
    /// Whether the set bit means memory that is shared with the host (TDX).
    package let setMeansShared: Bool

    package init(mask: UInt64, setMeansShared: Bool = false) {
      self.mask = mask
      self.setMeansShared = setMeansShared
    }
  }

  /// Reads an entry of a level.
  ///
  /// - Parameters:
  ///   - level: the level's number, clamped to those that the mode has.
  ///   - mode: the plain mode; an encryption bit comes with the context.
  package init(_ entry: UInt64, level: Int, mode: TableFormat, context: Context = Context()) {
    let level = min(max(level, 1), mode.levels.count)
    self.entry = entry
    self.level = level
    self.mode = context.encryption.flatMap { mode.encrypted(by: $0.mask) } ?? mode
    hardware = Self.hardware(entry, level: self.mode.level(level), mode: self.mode, context)
    kind = .unknown
    flags = []
    sentence = ""
    if mode.isX86 {
      read(context)
    } else if mode.isArm64 {
      readArm64(context)
    } else {
      readPlain()
    }
  }

  /// What every format tells.
  private mutating func readPlain() {
    let own = mode.classify(entry, level: level)
    flags = mode.names(entry, level: level, of: own == .table ? .table : .leaf)
    if let pattern = EntryPattern(entry, bytes: mode.entrySize) {
      (kind, sentence, flags) = (pattern.kind, pattern.sentence, [])
      return
    }
    switch hardware {
    case .notPresent:
      kind = entry == 0 ? .empty : .unknown
      sentence = entry == 0 ? "empty: nothing is mapped there" : "not present"
      if entry == 0 { flags = [] }
    case .reservedBits(let bits):
      (kind, sentence) = (.reservedBits, "bits \(bits.entry) are set, which must be clear")
    case .table(let next):
      (kind, physical) = (.table, next)
      access = mode.access(entry, at: mode.level(level))
      sentence = "a pointer to the table at \(next.entry)"
    case .leaf(let physical, let size):
      (kind, self.physical, pageSize) = (.leaf, physical, size)
      let access = mode.access(entry, at: mode.level(level))
      self.access = access
      sentence =
        "a page of \(size.readableSize) at \(physical.entry): "
        + (access.isUser ? "user" : "kernel") + (access.isWritable ? ", writable" : ", read-only")
        + (access.isExecutable ? ", executable" : ", no-execute")
    }
  }

  package var levelName: String { mode.level(level).name }

  private static func hardware(
    _ entry: UInt64, level: TableFormat.Level, mode: TableFormat, _ context: Context
  ) -> Hardware {
    let kind = level.classify(entry)
    guard kind != .invalid else { return .notPresent }
    let isLeaf = kind == .leaf
    let field = isLeaf ? level.leafField : mode.tableField
    var reserved = isLeaf ? level.reservedInLeaf : level.reservedInTable
    if let bits = context.physicalBits, (32..<52).contains(bits) {
      reserved |= field.entry(for: ~0 << UInt64(bits))
    }
    guard entry & reserved == 0 else { return .reservedBits(entry & reserved) }
    let address = field.address(in: entry)
    return isLeaf ? .leaf(physical: address, size: level.span) : .table(address)
  }
}
