package import KernelText
internal import KernelImages
internal import MemoryImages
internal import PageTables

/// The dump that the kernel's own debugfs file prints of a table.
package enum KernelReport {
  /// - Returns: the text, and where its markers are from.
  package static func text(_ table: Table, of subject: Subject) -> (
    text: KernelText, markers: String
  ) {
    if let text = subject.text { return (text, "the text's own") }
    let dialect = subject.mode.architecture.dialect(release: subject.facts.release?.value)
    let markers =
      subject.image?.markers
      ?? Fact(
        AddressMarker.usual(table.layout, mode: table.space.mode),
        "those of 6.12's usual configuration: the image has no address_markers that symbols tell")
    let space = table.root.flatMap { subject.image?.dumpedSpace(root: $0) } ?? table.space
    return (
      KernelText(showing: space, markers: markers.value, dialect: dialect), markers.source
    )
  }
}

extension AddressMarker {
  /// The markers of a kernel with MODIFY_LDT_SYSCALL, ESPfix and EFI, as far as areas are known.
  ///
  /// Source: `address_markers`, arch/x86/mm/dump_pagetables.c, 6.12.
  static func usual(_ layout: Layout, mode: TableFormat) -> [AddressMarker] {
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
