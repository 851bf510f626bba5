import KernelImages
import PageTables

extension Injection {
  /// What the kernel image and the user's twin need, taken away.
  static var unusable: [Injection] {
    [
      image("text of the image, emptied", "_text", "_etext") { _ in 0 },
      image("NX of a leaf of text", "_text", "_etext") { $0 | 1 << 63 },
      image("rodata of the image, emptied", "__start_rodata", "__end_rodata") { _ in 0 },
      image("data of the image, emptied", "_sdata", "_edata") { _ in 0 },
      image("RW of a leaf of data", "_sdata", "_edata") { $0 & ~2 },
      image("RW of a leaf of bss", "__bss_start", "__bss_stop") { $0 & ~2 },
      twin("RW of a leaf of the user's twin alone") { $0 ^ 2 },
      // A frame of the direct map is PT601's in whatever table.
      twin("the frame of a leaf of the user's twin alone", in: [.image, .cpuEntryArea]) {
        $0 ^ 0x80_0000
      },
      entryText("entry text of the user's twin, emptied") { _ in 0 },
      entryText("NX of entry text in the user's twin") { $0 | 1 << 63 },
    ]
  }

  private static func entryText(
    _ what: String, entry: @escaping (UInt64) -> UInt64
  ) -> Injection {
    Injection(
      "PT108", what,
      at: { patient in
        patient.twin.filter { site in
          site.isLeaf && site.area == .image
            && patient.range(site).overlaps(
              patient.symbol("__entry_text_start")...(patient.symbol("__entry_text_end") - 1))
        }
      }, entry: { _, site, _ in entry(site.entry) })
  }

  /// A leaf of the image that holds a part of it, and not the page of idt_table.
  private static func image(
    _ what: String, _ start: String, _ end: String, entry: @escaping (UInt64) -> UInt64
  ) -> Injection {
    Injection(
      "PT010", what,
      at: { patient in
        patient.sites.filter { site in
          site.isLeaf && site.area == .image && patient.holds(site, from: start, to: end)
            && !patient.range(site).contains(patient.symbol("idt_table"))
        }
      }, entry: { _, site, _ in entry(site.entry) })
  }

  private static func twin(
    _ what: String, in areas: Set<Area.Kind>? = nil, entry: @escaping (UInt64) -> UInt64
  ) -> Injection {
    Injection(
      "PT108", what,
      at: { patient in
        patient.twin.filter {
          $0.isLeaf && patient.kernelEntry($0) != nil && areas?.contains($0.area) ?? true
        }
      }, entry: { _, site, _ in entry(site.entry) })
  }
}
