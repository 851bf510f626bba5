/// One way in which a processor reads page tables, as a row of facts.
///
/// The same table of attributes decodes entries, prints the kernel's text and parses it.
package struct TableFormat: Sendable, Equatable {
  /// How the bytes of an entry lie in memory.
  package enum ByteOrder: Sendable, Equatable {
    case little, big
  }

  package let name: String
  /// From the leaves up: `levels[0]` is level 1.
  package let levels: [Level]
  package let attributes: [Attribute]
  /// Where a table pointer has the physical address of the next table.
  package let tableField: AddressField
  /// The bytes of one entry: 4 or 8.
  package let entrySize: Int
  package let byteOrder: ByteOrder
  /// The physical address of a root is a multiple of this.
  package let rootAlignment: UInt64
  /// What tables can map: one stretch of addresses, or two.
  package let halves: [AddressHalf]
  /// Whether one root maps all of it; each half has its own where not.
  package let hasOneRoot: Bool
  /// The first address of the half that belongs to the kernel.
  package var upperHalf: UInt64
  /// What the kernel's own dumper compares of the access that all levels leave.
  package let dumpedAccess: Access
  /// The address bit by which an entry that is not present shows that Linux stored its frame
  /// inverted, so that no processor reads memory through it (L1TF); zero where Linux never does.
  ///
  /// Source: `__pte_needs_invert`, arch/x86/include/asm/pgtable-invert.h, 4.19 and later.
  package let invertedFrame: UInt64
  /// The bit by which an entry says that the memory is encrypted; zero without.
  package let encryption: UInt64
  /// How leaves choose types of memory; nil where the format alone does not tell.
  package let memoryTypes: MemoryTypes?
  /// The number of address bits that index tables.
  package let addressBits: Int
  /// The incidental attributes' bits, which no rule judges in a leaf.
  package let incidental: UInt64
  /// The index of the root's first entry of the upper half; zero where it has one half only.
  package let boundary: Int
  /// Whether entries can forbid the kernel to run code.
  package let forbidsExecution: Bool
  /// Whether a leaf stays in the TLB when the processor takes another root.
  private let globalTest: BitTest

  /// The address bits that index tables, and the one that fills those above; zero for none.
  package let indexedBits: UInt64
  private let sign: UInt64

  package init(
    name: String, levels: [Level], attributes: [Attribute], tableField: AddressField,
    entrySize: Int, byteOrder: ByteOrder = .little, rootAlignment: UInt64, halves: [AddressHalf],
    hasOneRoot: Bool = true, upperHalf: UInt64? = nil, dumpedAccess: Access = .all,
    invertedFrame: UInt64 = 0, encryption: UInt64 = 0, memoryTypes: MemoryTypes? = nil
  ) {
    self.name = name
    self.attributes = attributes
    self.tableField = tableField
    self.entrySize = entrySize
    self.byteOrder = byteOrder
    self.rootAlignment = rootAlignment
    self.halves = halves
    self.hasOneRoot = hasOneRoot
    self.upperHalf = upperHalf ?? halves.last?.first ?? 0
    self.dumpedAccess = dumpedAccess
    self.invertedFrame = invertedFrame
    self.encryption = encryption
    self.memoryTypes = memoryTypes
    incidental = attributes.filter(\.isIncidental).reduce(0) { $0 | $1.mask }
    let prepared = levels.indices.map { index in
      levels[index].prepared(
        attributes, tableField, entrySize, below: index > 0 ? levels[index - 1] : nil)
    }
    self.levels = prepared
    addressBits = levels.last.map { $0.shift + $0.entries.trailingZeroBitCount } ?? 0
    indexedBits = ~0 >> UInt64(64 - addressBits)
    let isSigned = halves.count > 1
    sign = !isSigned ? 0 : hasOneRoot ? 1 << UInt64(addressBits - 1) : 1 << 63
    boundary = isSigned && hasOneRoot ? (levels.last?.entries ?? 0) / 2 : 0
    let entryBits: UInt64 = ~0 >> UInt64(64 - 8 * entrySize)
    forbidsExecution = prepared.contains { $0.leafRights.executeInKernel.mask & entryBits != 0 }
    globalTest = attributes.first(where: \.isGlobal)?.test ?? .never
  }

  /// The top level, the one that the root holds.
  package var root: Level { levels[levels.count - 1] }

  /// The bytes of the smallest page.
  package var granule: UInt64 { levels.first?.span ?? 0 }

  @inlinable package func level(_ number: Int) -> Level { levels[number - 1] }

  /// What the processor takes an entry of a level for.
  @inlinable package func classify(_ entry: UInt64, level: Int) -> EntryClass {
    levels[level - 1].classify(entry)
  }

  /// The bits of an entry that hold no address.
  package func flags(of entry: UInt64, level: Int) -> UInt64 {
    classify(entry, level: level) == .leaf
      ? entry & ~self.level(level).leafField.mask : entry & ~tableField.mask
  }

  /// The size of one entry of a run, in bytes.
  ///
  /// Asked of each run: no level is copied for it.
  @inlinable package func span(of run: Run) -> UInt64 {
    1 << UInt64(levels[max(1, Int(run.level)) - 1].shift)
  }

  /// The bytes of a table of a level.
  func bytes(ofTableOf level: Level) -> Int { level.entries * entrySize }

  /// Makes an offset from the bottom of the index space a canonical address.
  package func canonical(_ address: UInt64) -> UInt64 {
    let low = address & indexedBits
    return address & sign == 0 ? low : low | ~indexedBits
  }

  /// The first address that the kernel's root maps.
  package var bottom: UInt64 { hasOneRoot ? 0 : halves.last?.first ?? 0 }

  /// The last address.
  package var top: UInt64 { halves.last?.last ?? 0 }

  /// An address as the kernel prints it: `0x` and 8 or 16 digits; the end of the space is zero.
  package func text(_ address: UInt64) -> String {
    "0x" + (addressDigits == 8 ? address & top : address).hex(digits: addressDigits)
  }

  /// The digits that the kernel prints of an address.
  package var addressDigits: Int { top <= UInt64(UInt32.max) ? 8 : 16 }

  package func isCanonical(_ address: UInt64) -> Bool { canonical(address) == address }

  /// What an entry allows, below a path that allowed `above`.
  package func access(_ entry: UInt64, at level: Level, below above: Access = .all) -> Access {
    above.intersection(
      level.classify(entry) == .table
        ? level.tableRights.access(entry) : level.leafRights.access(entry))
  }

  /// Whether a leaf with these bits stays in the TLB when the processor takes another root.
  package func isGlobal(_ flags: UInt64) -> Bool { globalTest.matches(flags) }

  /// A leaf's bits as one of the lowest level would have them: attributes that stand elsewhere in
  /// larger leaves in their place there, and none of those that only larger leaves have.
  package func asPage(_ flags: UInt64, level: Int) -> UInt64 {
    let others = attributes.filter { $0.levels.contains(level) && !$0.levels.contains(1) }
    var page = others.reduce(flags) { $0 & ~$1.mask }
    for other in others where other.test.matches(flags) {
      if let own = attributes.first(where: { $0.set == other.set && $0.levels.contains(1) }) {
        page |= own.test.value
      }
    }
    return page
  }

  /// The names of the attributes that are in `flags`, at a level, in the kernel's spelling.
  package func names(
    _ flags: UInt64, level: Int, of kind: EntryClass = .leaf
  ) -> [String] {
    attributes.filter { attribute in
      attribute.levels.contains(level)
        && (kind == .table ? attribute.inTable : attribute.test).matches(flags)
    }.map(\.set)
  }

  /// The modes by the name that `--mode` takes.
  package static let named: [(name: String, mode: @Sendable () -> TableFormat)] =
    [
      ("x86-64", { @Sendable in x86_64 }), ("x86-64-4level", { @Sendable in x86_64 }),
      ("x86-64-5level", { @Sendable in x86_64FiveLevel }), ("i386", { @Sendable in i386 }),
      ("i386-pae", { @Sendable in i386PAE }),
    ] + arm64Named
}
