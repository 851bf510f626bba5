internal import PageTables

/// A swap entry's type and offset, and what Linux keeps the type for.
package struct SwapEntry: Sendable, Equatable {
  package let type: Int
  package let offset: UInt64
  /// What the type may mean, by the kernel's configuration; empty for a swap area.
  package let meanings: [Meaning]

  package enum Meaning: String, Sendable, CaseIterable {
    case migration
    case poisonedMemory = "hwpoison"
    case devicePrivate = "device-private"
    case deviceExclusive = "device-exclusive"
    case marker
    case swapInError = "swapin-error"

    var words: String {
      switch self {
      case .migration: "a page that is being migrated"
      case .poisonedMemory: "a page whose memory failed (hwpoison)"
      case .devicePrivate: "a page in a device's memory"
      case .deviceExclusive: "a page that a device uses exclusively"
      case .marker: "a marker without a page"
      case .swapInError: "a page that could not be read back from swap"
      }
    }

    /// Whether the offset is a frame number.
    var hasFrame: Bool { self == .migration || self == .poisonedMemory || self == .deviceExclusive }
  }

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
  private static let formats64: [(since: KernelNumber, format: Format)] = [
    (KernelNumber(4, 19, 0), .inverted),
    (
      KernelNumber(4, 8, 0),
      Format(typeShift: 9, offsetShift: 14, offsetBits: 50, isInverted: false)
    ),
    (
      KernelNumber(2, 6, 29),
      Format(typeShift: 1, offsetShift: 9, offsetBits: 55, isInverted: false)
    ),
    (
      KernelNumber(0, 0, 0), Format(typeShift: 1, offsetShift: 8, offsetBits: 56, isInverted: false)
    ),
  ]

  /// PAE before 4.19 keeps the entry in the high word.
  private static let highWord = Format(
    typeShift: 32, offsetShift: 37, offsetBits: 27, isInverted: false)
  private static let twoLevels = Format(
    typeShift: 1, offsetShift: 9, offsetBits: 23, isInverted: false)

  /// Reads an entry that is not present; nil where it has no swap entry's shape.
  init?(_ entry: UInt64, mode: TableFormat, release: KernelNumber?) {
    let format: Format
    if mode.entrySize == 4 {
      format = Self.twoLevels
    } else if Self.looksInverted(entry) {
      format = .inverted
    } else if mode.root.entries == 4 {
      format = Self.highWord
    } else {
      let release = release ?? KernelNumber(4, 8, 0)
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
    type = Int((entry >> format.typeShift) & 31)
    offset = ((format.isInverted ? ~entry : entry) >> format.offsetShift) & mask
    meanings = Self.meanings(of: type, release: release)
    guard entry >> 1 & ~0x7 != 0 else { return nil }
  }

  /// Whether the highest bits of the offset are ones, as an inverted small number's are.
  private static func looksInverted(_ entry: UInt64) -> Bool {
    entry & 0x07fc_0000_0000_0000 == 0x07fc_0000_0000_0000
  }

  /// Linux takes types from the top of 32 for its own purposes, as many as its configuration wants.
  ///
  /// Source: include/linux/swap.h, 6.1, 6.12 and older; device memory since 4.14, exclusive use since
  /// 5.14, markers and the third migration type since 5.19.
  private static func meanings(of type: Int, release: KernelNumber?) -> [Meaning] {
    guard let release else { return type >= 22 ? [.migration] : [] }
    let heads: [[Meaning]]
    let migration = [Meaning](
      repeating: .migration, count: release >= KernelNumber(5, 19, 0) ? 3 : 2)
    let device: [[Meaning]]
    if release >= KernelNumber(5, 14, 0) {
      device = [[], [.deviceExclusive, .deviceExclusive, .devicePrivate, .devicePrivate]]
    } else if release >= KernelNumber(4, 14, 0) {
      device = [[], [.devicePrivate, .devicePrivate]]
    } else {
      device = [[]]
    }
    if release >= KernelNumber(6, 4, 0) {
      heads = [[.marker]]
    } else if release >= KernelNumber(5, 19, 0) {
      heads = [[.swapInError, .marker], [.swapInError]]
    } else {
      heads = [[]]
    }
    var found: [Meaning] = []
    for head in heads {
      for device in device {
        let fromTop = head + device + migration + [.poisonedMemory]
        let index = 31 - type
        if fromTop.indices.contains(index), !found.contains(fromTop[index]) {
          found.append(fromTop[index])
        }
      }
    }
    return found
  }
}

/// The numbers of a release, to compare by.
struct KernelNumber: Comparable {
  let parts: [Int]

  init(_ major: Int, _ minor: Int, _ patch: Int) { parts = [major, minor, patch] }

  /// Reads `6.12.117-1-amd64`; nil without two numbers.
  init?(_ release: String) {
    let numbers = release.split(separator: "-").first?.split(separator: ".").prefix(3).map { part in
      Int(part.prefix(while: \.isNumber)) ?? 0
    }
    guard let numbers, numbers.count >= 2, numbers[0] > 0 else { return nil }
    parts = numbers + [Int](repeating: 0, count: 3 - numbers.count)
  }

  static func < (one: KernelNumber, other: KernelNumber) -> Bool {
    one.parts.lexicographicallyPrecedes(other.parts)
  }
}
