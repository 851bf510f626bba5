/// Single bits of x86's entries, for what judges x86 alone: other formats have others, or none.
///
/// Source: arch/x86/include/asm/pgtable_types.h, 6.12.
extension TableFormat {
  @inlinable package var present: UInt64 { 1 }
  @inlinable package var write: UInt64 { 1 << 1 }
  @inlinable package var user: UInt64 { 1 << 2 }
  /// PSE: above the lowest level, where PAT has the same place.
  @inlinable package var large: UInt64 { 1 << 7 }
  @inlinable package var global: UInt64 { 1 << 8 }
  /// NX; zero where entries are too short for it.
  @inlinable package var noExecute: UInt64 { entrySize == 8 ? 1 << 63 : 0 }
  /// The bits of a table pointer that hold the physical address of the next table.
  package var tableAddress: UInt64 { tableField.mask }
  /// Whether its top table is the one of PAE, whose four entries have no room for attributes.
  package var isPAE: Bool { root.entries == 4 }
  /// Whether the bits here are its own.
  package var isX86: Bool { attributes.contains { $0.set == "PSE" } }
}
