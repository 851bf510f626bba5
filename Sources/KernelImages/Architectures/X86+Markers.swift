package import PageTables

extension AddressMarker {
  /// The markers of a kernel with MODIFY_LDT_SYSCALL, ESPfix and EFI, as far as areas are known.
  ///
  /// Source: `address_markers`, arch/x86/mm/dump_pagetables.c, 6.12.
  package static func usual(_ layout: Layout, mode: TableFormat) -> [AddressMarker] {
    let areas: [(Area.Kind, String, Int)] = [
      (.ldtRemap, "LDT remap", 0), (.directMap, "Low Kernel Mapping", 0),
      (.vmalloc, "vmalloc() Area", 0), (.vmemmap, "Vmemmap", 0),
      (.cpuEntryArea, "CPU entry Area", 0), (.espfix, "ESPfix Area", 16),
      (.efi, "EFI Runtime Services", 0), (.image, "High Kernel Mapping", 0),
      (.modules, "Modules", 0),
    ]
    return [
      AddressMarker(start: 0, name: "User Space"),
      AddressMarker(start: 0x8000_0000_0000_0000, name: "Kernel Space"),
    ]
      + areas.compactMap { kind, name, lines in
        layout.first(kind).map { AddressMarker(start: $0.start, name: name, maxLines: lines) }
      }
      + [
        AddressMarker(start: 0xffff_ffff_ff00_0000, name: "End Modules"),
        AddressMarker(start: 0xffff_ffff_ff57_b000, name: "Fixmap Area"),
      ]
  }
}
