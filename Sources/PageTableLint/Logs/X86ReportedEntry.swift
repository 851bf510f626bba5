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
      isXen: facts.hypervisor.map { $0.mentions("Xen") })
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
