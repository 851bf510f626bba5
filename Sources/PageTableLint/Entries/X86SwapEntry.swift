internal import KernelText
internal import PageTables

/// Where x86 keeps a swap entry's type and offset.
extension SwapEntry {
  /// Where a format keeps type and offset.
  private struct Format {
    let typeShift: UInt64
    let offsetShift: UInt64
    let offsetBits: UInt64
    let isInverted: Bool

    static let inverted = Format(typeShift: 59, offsetShift: 9, offsetBits: 50, isInverted: true)
  }

  /// The formats of 64-bit entries by the first release that has them.
  ///
  /// Sources: arch/x86/include/asm/pgtable_64.h and pgtable-3level.h. Type and offset moved up with
  /// 00839ee3b299 (4.8) for an erratum that sets A and D, and the offset was inverted for L1TF
  /// (4.19; 4.18.1 and later stable kernels).
  private static let formats64: [(since: KernelVersion, format: Format)] = [
    (KernelVersion(4, 19, 0), .inverted),
    (
      KernelVersion(4, 8, 0),
      Format(typeShift: 9, offsetShift: 14, offsetBits: 50, isInverted: false)
    ),
    (
      KernelVersion(2, 6, 29),
      Format(typeShift: 1, offsetShift: 9, offsetBits: 55, isInverted: false)
    ),
    (
      KernelVersion(0, 0, 0),
      Format(typeShift: 1, offsetShift: 8, offsetBits: 56, isInverted: false)
    ),
  ]

  /// PAE before 4.19 keeps the entry in the high word.
  private static let highWord = Format(
    typeShift: 32, offsetShift: 37, offsetBits: 27, isInverted: false)
  private static let twoLevels = Format(
    typeShift: 1, offsetShift: 9, offsetBits: 23, isInverted: false)

  /// Reads an entry that is not present; nil where it has no swap entry's shape.
  init?(_ entry: UInt64, mode: TableFormat, release: KernelVersion?) {
    let format: Format
    if mode.entrySize == 4 {
      format = Self.twoLevels
    } else if Self.looksInverted(entry) {
      format = .inverted
    } else if mode.isPAE {
      format = Self.highWord
    } else {
      let release = release ?? KernelVersion(4, 8, 0)
      // Above 4.19 an offset that is not inverted would be above 2^49.
      guard let known = Self.formats64.first(where: { release >= $0.since })?.format,
        !known.isInverted
      else { return nil }
      format = known
    }
    // P and PROT_NONE's bit tell a page, bit 6 a nonlinear file (before 4.0); bit 7 may be soft-dirty.
    // The formats that moved up leave A, D and PSE clear as well.
    let clear: UInt64 = format.typeShift != 1 ? 0x1e1 : format.offsetShift == 8 ? 0xc1 : 0x141
    guard entry & clear == 0 else { return nil }
    let mask: UInt64 = (1 << format.offsetBits) - 1
    guard entry >> 1 & ~0x7 != 0 else { return nil }
    self.init(
      type: Int((entry >> format.typeShift) & 31),
      offset: ((format.isInverted ? ~entry : entry) >> format.offsetShift) & mask,
      release: release)
  }

  /// Whether the highest bits of the offset are ones, as an inverted small number's are.
  private static func looksInverted(_ entry: UInt64) -> Bool {
    entry & 0x07fc_0000_0000_0000 == 0x07fc_0000_0000_0000
  }
}
