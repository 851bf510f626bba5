extension TableFormat {
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
    /// Whether an entry is valid at all.
    package let valid: BitTest
    /// Whether a valid entry leads to a table; it maps memory where not.
    package let table: BitTest
    /// Whether an entry that is not valid is a hole to Linux, and no remnant.
    package let hole: BitTest
    /// Bits of an entry that must be clear in a table pointer.
    package let reservedInTable: UInt64
    /// Bits of an entry that must be clear in a leaf.
    package let reservedInLeaf: UInt64
    /// Where a leaf has its physical address.
    package let leafField: AddressField
    /// Bits that every entry is taken to have set, having no room of its own for them.
    package let grants: UInt64
    /// What a leaf of this level allows, and what a table pointer does.
    package internal(set) var leafRights = Rights([])
    package internal(set) var tableRights = Rights([])
    /// The bytes of a table, as a power of two.
    package internal(set) var tableShift = 0
    /// What an entry gains where the table that it leads to lies one table further on, as a power of
    /// two.
    package internal(set) var tableStep = 0

    package init(
      number: Int, name: String, holeName: String? = nil, shift: Int, entries: Int,
      mayBeLeaf: Bool = true, valid: BitTest, table: BitTest, hole: BitTest,
      reservedInTable: UInt64 = 0, reservedInLeaf: UInt64 = 0, leafField: AddressField,
      grants: UInt64 = 0
    ) {
      self.number = number
      self.name = name
      self.holeName = holeName ?? name
      self.shift = shift
      self.entries = entries
      self.mayBeLeaf = mayBeLeaf
      self.valid = valid
      self.table = table
      self.hole = hole
      self.reservedInTable = reservedInTable
      self.reservedInLeaf = reservedInLeaf
      self.leafField = leafField
      self.grants = grants
    }

    /// The bytes that one entry of this level spans.
    @inlinable package var span: UInt64 { 1 << UInt64(shift) }

    /// The index of the entry that an address goes by.
    @inlinable package func index(of address: UInt64) -> Int {
      Int((address >> UInt64(shift)) & UInt64(entries - 1))
    }

    /// The bits of a leaf that hold the physical address.
    package var leafAddress: UInt64 { leafField.mask }

    /// What the processor takes an entry for: the one place that knows.
    @inlinable package func classify(_ entry: UInt64) -> EntryClass {
      guard valid.matches(entry) else { return .invalid }
      return table.matches(entry) ? .table : .leaf
    }

    /// The level with what follows from the rest of its format.
    func prepared(
      _ attributes: [Attribute], _ tableField: AddressField, _ entrySize: Int, below: Level?
    ) -> Level {
      var level = self
      let here = attributes.filter { $0.levels.contains(number) }
      level.leafRights = Rights(here.map { ($0, $0.test) }, granted: grants)
      level.tableRights = Rights(here.map { ($0, $0.inTable) }, granted: grants)
      level.tableShift = (entries * entrySize).trailingZeroBitCount
      if let below {
        level.tableStep =
          tableField.step(UInt64(below.entries * entrySize)).trailingZeroBitCount
      }
      return level
    }

    /// The same level where address bits are reserved, too.
    func reserving(_ bits: UInt64) -> Level {
      Level(
        number: number, name: name, holeName: holeName, shift: shift, entries: entries,
        mayBeLeaf: mayBeLeaf, valid: valid, table: table, hole: hole,
        reservedInTable: reservedInTable | bits, reservedInLeaf: reservedInLeaf | bits,
        leafField: leafField, grants: grants)
    }

    /// The same level where `bits` of a leaf are no address.
    func withoutAddress(_ bits: UInt64) -> Level {
      Level(
        number: number, name: name, holeName: holeName, shift: shift, entries: entries,
        mayBeLeaf: mayBeLeaf, valid: valid, table: table, hole: hole,
        reservedInTable: reservedInTable, reservedInLeaf: reservedInLeaf,
        leafField: leafField.without(bits), grants: grants)
    }
  }
}
