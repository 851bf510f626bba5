internal import MemoryImages
internal import PageTables

extension KernelImage {
  /// The physical pages that kexec made executable for its control code; nil where it is not known
  /// whether and where there are such.
  ///
  /// Source: `machine_kexec_prepare`, arch/x86/kernel/machine_kexec_64.c, 6.16, and
  /// `KEXEC_CONTROL_PAGE_SIZE`, arch/x86/include/asm/kexec.h: two pages at most.
  package var kexecPages: [ClosedRange<UInt64>]? {
    var pages: [ClosedRange<UInt64>] = []
    for image in Variable.kexecImages {
      guard let page = values[Variable.controlPage(of: image)] else { return nil }
      guard page != 0 else { continue }
      guard let physical = pageArray?.frame(at: page) else { return nil }
      pages.append(physical...(physical + 2 * mode.granule - 1))
    }
    return pages
  }
}
