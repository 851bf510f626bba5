/// A place in the address space from which on the kernel's dumper prints a name.
///
/// Source: `struct addr_marker`, arch/x86/mm/dump_pagetables.c, 6.12.
package struct AddressMarker: Sendable, Equatable {
  package let start: UInt64
  package let name: String
  /// How many lines of the area are printed at most; zero for all.
  package let maxLines: Int

  package init(start: UInt64, name: String, maxLines: Int = 0) {
    self.start = start
    self.name = name
    self.maxLines = maxLines
  }
}
