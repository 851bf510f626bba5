/// One stretch of the kernel's virtual address space with a purpose.
package struct Area: Sendable, Equatable {
  package enum Kind: String, Sendable, Equatable, CaseIterable {
    case user = "user space"
    case guardHole = "guard hole"
    case ldtRemap = "LDT remap"
    case directMap = "direct map"
    case vmalloc = "vmalloc"
    case vmemmap = "vmemmap"
    case cpuEntryArea = "cpu entry area"
    case espfix = "ESPfix"
    case efi = "EFI runtime services"
    case image = "kernel image"
    case modules = "modules"
    case fixmap = "fixmap"
    case other = "between areas"
  }

  package let kind: Kind
  package let start: UInt64
  /// Inclusive.
  package let last: UInt64

  package var name: String { kind.rawValue }
  package func contains(_ address: UInt64) -> Bool { start <= address && address <= last }
}

/// The areas of an address space, found by address: the dumps' own markers lag and lie.
///
/// Source: Documentation/arch/x86/x86_64/mm.rst and pgtable_64_types.h, 6.12.
package struct Layout: Sendable {
  package let areas: [Area]

  /// - Parameters:
  ///   - imageSize: `KERNEL_IMAGE_SIZE` in bytes: 1 GiB with RANDOMIZE_BASE, else 512 MiB.
  package static func x86_64(
    mode: PagingMode, directMap: UInt64, vmalloc: UInt64, vmemmap: UInt64,
    imageSize: UInt64 = 1 << 30
  ) -> Layout {
    let guardHole = mode.upperHalf
    let ldt = guardHole &+ 16 * mode.root.span
    let cpuEntry: UInt64 = 0xffff_fe00_0000_0000
    let espfix: UInt64 = 0xffff_ff00_0000_0000
    let efi: UInt64 = 0xffff_ffef_0000_0000
    let image: UInt64 = 0xffff_ffff_8000_0000
    let modules = image &+ imageSize
    let fixmap: UInt64 = 0xffff_ffff_ff00_0000
    // KASAN's shadow and what else lies behind vmemmap belongs to no area.
    let vmemmapLast = min(vmemmap &+ (1 << (mode.levels.count == 5 ? 49 : 40)), cpuEntry) &- 1
    let bounds: [(Area.Kind, UInt64, UInt64)] = [
      (.user, 0, ~guardHole),
      (.guardHole, guardHole, ldt &- 1),
      (.ldtRemap, ldt, min(ldt &+ mode.root.span, directMap) &- 1),
      (.directMap, directMap, vmalloc &- 1),
      (.vmalloc, vmalloc, vmemmap &- 1),
      (.vmemmap, vmemmap, vmemmapLast),
      (.cpuEntryArea, cpuEntry, cpuEntry &+ (1 << 39) &- 1),
      (.espfix, espfix, espfix &+ (1 << 39) &- 1),
      (.efi, efi, 0xffff_fffe_ffff_ffff),
      (.image, image, modules &- 1),
      (.modules, modules, fixmap &- 1),
      (.fixmap, fixmap, ~0),
    ]
    return Layout(
      areas: bounds.filter { $0.1 <= $0.2 }.map { Area(kind: $0.0, start: $0.1, last: $0.2) })
  }

  /// The layout without KASLR.
  package static func x86_64Defaults(mode: PagingMode) -> Layout {
    mode.levels.count == 5
      ? x86_64(
        mode: mode, directMap: 0xff11_0000_0000_0000, vmalloc: 0xffa0_0000_0000_0000,
        vmemmap: 0xffd4_0000_0000_0000)
      : x86_64(
        mode: mode, directMap: 0xffff_8880_0000_0000, vmalloc: 0xffff_c900_0000_0000,
        vmemmap: 0xffff_ea00_0000_0000)
  }

  /// The area that holds `address`.
  package func area(of address: UInt64) -> Area {
    areas.first { $0.contains(address) } ?? Area(kind: .other, start: address, last: address)
  }

  package func first(_ kind: Area.Kind) -> Area? { areas.first { $0.kind == kind } }
}
