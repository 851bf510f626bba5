/// One way in which a processor reads page tables, as a row of facts.
///
/// The same table of flags decodes entries, prints the kernel's text and parses it.
package struct TableFormat: Sendable, Equatable {
  /// One level of tables; `number` counts from the leaves as the kernel's `enum pg_level` does
  /// (1 is 4K, 2 is 2M, 3 is 1G).
  package struct Level: Sendable, Equatable {
    package let number: Int
    /// The name that the kernel's dumps print: `pte`, `pmd`, `pud`, `p4d`, `pgd`.
    package let name: String
    /// The name that they print for a hole: that of the highest level folded into this one.
    ///
    /// Source: `real_depth`, mm/pagewalk.c, 6.12.
    package let holeName: String
    /// The number of address bits below this level's index.
    package let shift: Int
    /// The number of entries of a table, a power of two.
    package let entries: Int
    /// Whether an entry may map memory itself.
    package let mayBeLeaf: Bool
    /// Bits of an entry that must be clear in a table pointer.
    package let reservedInTable: UInt64
    /// Bits of an entry that must be clear in a leaf.
    package let reservedInLeaf: UInt64
    /// The bits of a leaf that hold the physical address.
    package let leafAddress: UInt64

    /// Flags that every entry grants, having no bits of its own for them.
    package let grants: UInt64

    /// The bytes that one entry of this level spans.
    package var span: UInt64 { 1 << UInt64(shift) }
  }

  /// How a flag of the upper levels acts on the leaf below.
  package enum Combination: Sendable, Equatable {
    /// Only the leaf's own flag counts.
    case leafOnly
    /// Allowed only where every level allows it (RW, US).
    case all
    /// In force as soon as one level sets it (NX).
    case any
  }

  /// One flag of an entry.
  package struct Flag: Sendable, Equatable {
    package let mask: UInt64
    /// The name in the kernel's text where the flag is set, and the text where it is clear.
    package let set: String
    package let clear: String
    package let combination: Combination
    /// The levels (by number) at which the flag means this.
    package let levels: ClosedRange<Int>
    /// Whether the kernel's text dump prints it.
    package let printed: Bool
    /// Whether it tells how the memory was used, or what Linux keeps in mind of it, and nothing of
    /// what may be done there: accessed, dirty, software bits.
    package let isIncidental: Bool
  }

  package let name: String
  /// From the leaves up: `levels[0]` is level 1.
  package let levels: [Level]
  package let flags: [Flag]
  package let present: UInt64
  package let large: UInt64
  package let write: UInt64
  package let user: UInt64
  package let global: UInt64
  package let noExecute: UInt64
  /// The bits of a table pointer that hold the physical address of the next table.
  package let tableAddress: UInt64
  /// The bytes of one entry: 4 or 8.
  package let entrySize: Int
  /// The first address of the half that belongs to the kernel.
  package var upperHalf: UInt64
  /// The bits that make an entry above the pte level more than a hole to Linux.
  ///
  /// Source: `pmd_none`, arch/x86/include/asm/pgtable.h, 6.12 (a Knights Landing erratum sets A, D).
  package let noneMask: UInt64
  /// The effective flags whose change the kernel's own dumper sees.
  package let dumpedEffective: UInt64
  /// The number of significant address bits.
  package let addressBits: Int
  /// The incidental flags, which no rule judges in a leaf.
  package let incidental: UInt64
  /// Flags that every level must have, and flags that are in force as soon as one level has them.
  private let allLevels: UInt64
  private let anyLevel: UInt64

  init(
    name: String, levels: [Level], flags: [Flag], present: UInt64, large: UInt64, write: UInt64,
    user: UInt64, global: UInt64, noExecute: UInt64, tableAddress: UInt64, entrySize: Int,
    upperHalf: UInt64, noneMask: UInt64, dumpedEffective: UInt64
  ) {
    self.name = name
    self.levels = levels
    self.flags = flags
    self.present = present
    self.large = large
    self.write = write
    self.user = user
    self.global = global
    self.noExecute = noExecute
    self.tableAddress = tableAddress
    self.entrySize = entrySize
    self.upperHalf = upperHalf
    self.noneMask = noneMask
    self.dumpedEffective = dumpedEffective
    incidental = flags.filter(\.isIncidental).reduce(0) { $0 | $1.mask }
    addressBits = levels.last.map { $0.shift + $0.entries.trailingZeroBitCount } ?? 0
    func mask(_ combination: Combination) -> UInt64 {
      flags.filter { $0.combination == combination }.reduce(0) { $0 | $1.mask }
    }
    allLevels = mask(.all)
    anyLevel = mask(.any)
  }

  /// The same mode where an address bit of the entries says that the memory is encrypted.
  ///
  /// Source: `sme_me_mask` and `__PHYSICAL_MASK`, arch/x86/include/asm/page_types.h, 6.12.
  ///
  /// - Parameter mask: that bit; nil is answered where it is none of an entry's upper address bits.
  package func encrypted(by mask: UInt64) -> TableFormat? {
    guard mask.nonzeroBitCount == 1, mask >= 1 << 32, tableAddress & mask != 0 else { return nil }
    let levels = levels.map { level in
      Level(
        number: level.number, name: level.name, holeName: level.holeName, shift: level.shift,
        entries: level.entries, mayBeLeaf: level.mayBeLeaf, reservedInTable: level.reservedInTable,
        reservedInLeaf: level.reservedInLeaf, leafAddress: level.leafAddress & ~mask,
        grants: level.grants)
    }
    let flag = Flag(
      mask: mask, set: Self.encrypted, clear: "", combination: .leafOnly, levels: 1...5,
      printed: false, isIncidental: false)
    return TableFormat(
      name: name, levels: levels, flags: flags + [flag], present: present, large: large,
      write: write, user: user, global: global, noExecute: noExecute,
      tableAddress: tableAddress & ~mask, entrySize: entrySize, upperHalf: upperHalf,
      noneMask: noneMask, dumpedEffective: dumpedEffective)
  }

  /// The top level, the one that the root holds.
  package var root: Level { levels[levels.count - 1] }

  @inlinable package func level(_ number: Int) -> Level { levels[number - 1] }

  /// The size of one entry of a run, in bytes.
  @inlinable package func span(of run: Run) -> UInt64 { level(max(1, Int(run.level))).span }

  /// Makes an offset from the bottom of the index space a canonical address.
  @inlinable package func canonical(_ address: UInt64) -> UInt64 {
    let sign: UInt64 = 1 << UInt64(addressBits - 1)
    let low = address & ((sign << 1) &- 1)
    return low & sign == 0 || addressBits == 32 ? low : low | (~0 << UInt64(addressBits))
  }

  /// The last address.
  package var top: UInt64 { addressBits == 32 ? 0xffff_ffff : ~0 }

  /// An address as the kernel prints it: `0x` and 8 or 16 digits; the end of the space is zero.
  package func text(_ address: UInt64) -> String {
    "0x" + (address & top).hex(digits: addressBits == 32 ? 8 : 16)
  }

  package func isCanonical(_ address: UInt64) -> Bool { canonical(address) == address }

  /// The flags whose upper-level settings reach the leaf.
  package var inherited: UInt64 { allLevels | anyLevel }

  /// The effective flags of `own` below a path that allowed `above`.
  package func effective(_ own: UInt64, below above: UInt64) -> UInt64 {
    (above & own & allLevels) | ((above | own) & anyLevel)
  }

  /// The effective flags of an entry below a path that allowed `above`.
  package func effective(_ entry: UInt64, at level: Level, below above: UInt64) -> UInt64 {
    effective(entry | level.grants, below: above)
  }

  /// What a root starts with: everything allowed, nothing forbidden.
  package var unrestricted: UInt64 { allLevels }

  /// The address bit by which an entry that is not present shows that Linux stored its frame
  /// inverted, so that no processor reads memory through it (L1TF); zero where Linux never does.
  ///
  /// Source: `__pte_needs_invert`, arch/x86/include/asm/pgtable-invert.h, 4.19 and later.
  package var invertedFrame: UInt64 {
    entrySize == 8 ? 1 << UInt64(63 - tableAddress.leadingZeroBitCount) : 0
  }

  /// The bit by which an entry says that the memory is encrypted; zero without.
  package var encryption: UInt64 { flags.first { $0.set == Self.encrypted }?.mask ?? 0 }
  private static let encrypted = "ENC"

  /// The names of the flags set in `flags`, at a level, in the kernel's spelling.
  package func names(_ flags: UInt64, level: Int) -> [String] {
    self.flags.filter { flags & $0.mask != 0 && $0.levels.contains(level) }.map(\.set)
  }

  /// The modes by the name that `--mode` takes.
  package static let named: [(name: String, mode: TableFormat)] = [
    ("x86-64", x86_64), ("x86-64-4level", x86_64), ("x86-64-5level", x86_64FiveLevel),
    ("i386", i386), ("i386-pae", i386PAE),
  ]
}
