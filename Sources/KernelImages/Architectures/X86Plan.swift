package import KernelText
package import PageTables

/// Where x86-64 kernels of some releases keep their areas as long as KASLR moves none.
///
/// Sources: include/asm-x86/page_64.h and pgtable_64.h, 2.6.26 and 2.6.27;
/// arch/x86/include/asm/pgtable_64_types.h, 2.6.31 and 4.18; page_64_types.h, 4.20;
/// Documentation/x86/x86_64/mm.txt of those releases.
package struct X86Plan: Sendable {
  /// The first release that has it.
  package let since: KernelVersion
  /// The first release that has it no more; nil for the newest.
  package let before: KernelVersion?
  /// The levels of its tables.
  package let levels: Int
  package let directMap: UInt64
  package let vmalloc: UInt64
  /// 2.6.24 and later have one.
  package let vmemmap: UInt64

  /// The oldest first.
  package static let all: [X86Plan] = [
    X86Plan(
      since: KernelVersion(2, 6, 11), before: KernelVersion(2, 6, 27), levels: 4,
      directMap: 0xffff_8100_0000_0000, vmalloc: 0xffff_c200_0000_0000,
      vmemmap: 0xffff_e200_0000_0000),
    X86Plan(
      since: KernelVersion(2, 6, 27), before: KernelVersion(2, 6, 31), levels: 4,
      directMap: 0xffff_8800_0000_0000, vmalloc: 0xffff_c200_0000_0000,
      vmemmap: 0xffff_e200_0000_0000),
    X86Plan(
      since: KernelVersion(2, 6, 31), before: slotUp, levels: 4,
      directMap: 0xffff_8800_0000_0000, vmalloc: 0xffff_c900_0000_0000,
      vmemmap: 0xffff_ea00_0000_0000),
    X86Plan(
      since: slotUp, before: nil, levels: 4,
      directMap: 0xffff_8880_0000_0000, vmalloc: 0xffff_c900_0000_0000,
      vmemmap: 0xffff_ea00_0000_0000),
    X86Plan(
      since: KernelVersion(4, 15), before: slotUp, levels: 5,
      directMap: 0xff10_0000_0000_0000, vmalloc: 0xffa0_0000_0000_0000,
      vmemmap: 0xffd4_0000_0000_0000),
    X86Plan(
      since: slotUp, before: nil, levels: 5,
      directMap: 0xff11_0000_0000_0000, vmalloc: 0xffa0_0000_0000_0000,
      vmemmap: 0xffd4_0000_0000_0000),
  ]

  /// The release that put the LDT where the direct map had been, which is a slot higher since.
  ///
  /// Source: d52888aa2753 (x86/mm: Move LDT remap out of KASLR region on 5-level paging).
  package static let slotUp = KernelVersion(4, 20)

  /// The first of the stable series that have that too, and the first with the CPU entry area.
  package static let earliestBackport = KernelVersion(4, 14)

  /// Whether kernels of today have it.
  package var isNewest: Bool { before == nil }

  /// The release from which on KASLR moves the direct map, vmalloc and vmemmap.
  ///
  /// Source: arch/x86/mm/kaslr.c, 4.8: `kernel_randomize_memory`.
  package static let movesAreas = KernelVersion(4, 8)

  /// Where a direct map of four levels may start that KASLR moved.
  ///
  /// Source: `vaddr_start` and `vaddr_end`, arch/x86/mm/kaslr.c, 4.8 and 4.15.
  package static let movedDirectMaps = 0xffff_8800_0000_0000..<Layout.cpuEntryArea

  /// The release from which on the image may have 1 GiB, and modules start after that.
  ///
  /// Source: `CONFIG_RANDOMIZE_BASE_MAX_OFFSET`, arch/x86/Kconfig, 3.14.
  package static let movesImage = KernelVersion(3, 14)

  /// Those that kernels of a format and a release may have; all of the format's where the release
  /// is not known.
  ///
  /// Stable kernels from 4.14.84 and from 4.19.5 on have their direct map as 4.20 has it, and
  /// distributions' names of 4.14, 4.18 and 4.19 do not count patches: both plans may be theirs.
  package static func plans(_ format: TableFormat, _ release: KernelVersion?) -> [X86Plan] {
    all.filter { plan in
      guard plan.levels == format.levels.count else { return false }
      guard let release else { return true }
      let isBackported = release.major == 4 && [14, 18, 19].contains(release.minor)
      if isBackported, plan.since == slotUp { return true }
      return release >= plan.since && plan.before.map { release < $0 } ?? true
    }
  }

  /// The plan whose direct map starts there, the newest first; nil where KASLR moved it.
  package static func plan(
    of format: TableFormat, directMap: UInt64, _ release: KernelVersion?
  ) -> X86Plan? {
    plans(format, release).last { $0.directMap == directMap }
      ?? plans(format, nil).last { $0.directMap == directMap }
  }

  /// For a fact's source: `2.6.31 to 4.19`.
  package var releases: String {
    let first = since.short
    guard let before else { return "from \(first) on" }
    return "from \(first) on and before \(before.short)"
  }

  /// Where modules start, by release: behind the image, whose space is 512 MiB without KASLR.
  ///
  /// Sources: MODULES_VADDR, include/asm-x86/pgtable_64.h, 2.6.25 and 2.6.26;
  /// `KERNEL_IMAGE_SIZE`, arch/x86/include/asm/page_64_types.h, 3.14.
  ///
  /// - Returns: nil where either may be.
  package static func modules(_ release: KernelVersion?) -> UInt64? {
    guard let release, release < movesImage else { return nil }
    return release < KernelVersion(2, 6, 26) ? 0xffff_ffff_8800_0000 : 0xffff_ffff_a000_0000
  }
}

extension KernelVersion {
  /// Without a patch of zero: `4.20`, `2.6.27`.
  package var short: String { patch == 0 ? "\(major).\(minor)" : description }
}
