internal import PageTables

/// What an entry of a report is, as `decode` reads it.
struct ReportedEntry {
  let reading: EntryReading
  private let address: UInt64?

  /// - Parameters:
  ///   - release: of the report's kernel; nil where unknown.
  ///   - reserved: the bits that the processor called reserved; 0 where it did not.
  init(
    _ entry: UInt64, level: Int, _ fault: Fault, _ facts: LogFacts, release: String?,
    reserved: UInt64 = 0
  ) {
    // An address bit that is reserved says how many bits the processor has.
    let highest = reserved & fault.mode.tableAddress
    let bits = facts.physicalBits ?? (highest == 0 ? nil : highest.trailingZeroBitCount)
    let context = EntryReading.Context(
      release: release, physicalBits: bits.flatMap { (32..<52).contains($0) ? $0 : nil },
      isXen: facts.isXenGuest ?? facts.hypervisor.map { _ in false })
    reading = EntryReading(entry, level: level, mode: fault.mode, context: context)
    address = fault.kind.isAccess ? fault.address : nil
  }

  /// What follows `not present at the pte`.
  var clause: String { reading.kind == .empty ? " (it is empty)" : ": \(words)" }

  /// `empty: nothing is mapped there`; of an unmapped page of the kernel also whether it is the one
  /// that the direct map has at the address.
  var words: String {
    let words = ([reading.sentence] + reading.notes).joined(separator: "; ")
    guard reading.kind == .unmapped, let address, let frame = reading.physical,
      (address & ~4095 &- frame) & (1 << 30 - 1) == 0
    else { return words }
    return words + ", the direct map's own page for that address"
  }
}

/// A Xen PV guest's reports.
extension LogFacts {
  /// The code segment of a 64-bit guest kernel, which no other kernel has.
  ///
  /// Source: `FLAT_KERNEL_CS64`, xen/include/public/arch-x86/xen-x86_64.h, Xen 4.17 (0xe030 and the ring).
  mutating func takeXen(_ text: String) {
    if text.hasPrefix("RIP: e030:") || text.hasPrefix("RIP: e033:") { isXenGuest = true }
  }

  /// What a write to a read-only page of the direct map means under Xen, for the end of a sentence; nil
  /// where nothing says that the kernel is Xen's guest.
  ///
  /// Source: `make_lowmem_page_readonly`, arch/x86/xen/mmu_pv.c, 6.12.
  func xensReason(_ fault: Fault) -> String? {
    let marks: UInt64 = 1 << 52 | 1 << 2 | 1
    let isMarked = fault.entries.contains { $0.name == "pte" && $0.value & marks == marks }
    guard isXenGuest ?? (hypervisor == nil && isMarked) else { return nil }
    return "under Xen page tables look so, which the kernel maps read-only and Xen alone writes: "
      + "what wrote there took a page table for its own, or wrote an entry without asking Xen"
  }
}
