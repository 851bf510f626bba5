import KernelImages
import PageTables
import Support

/// What a bit of an entry is that is flipped.
package enum FlippedBit: String {
  case present, write, user, cache, size, global, noExecute, frame, reserved
  /// arm64's own.
  case sharing, accessed, guarded, contiguous
  /// Nothing that a rule may speak of: accessed, dirty, software's, ignored.
  case free
}

/// The faults of one architecture, and the real images that they are put into.
package struct FaultPlan {
  package let samples: [String]
  /// Those that keep the kernel's lists of vmalloc and its modules.
  package let listed: [String]
  package let injections: [Injection]
  /// How often each kind is injected, over all images.
  package let wanted: Int
  /// How many flips that matter are made.
  package let flips: Int
  /// What flipping a bit of an entry changes; nil for one that may be either way in health.
  package let kind: (Int, Site, Patient) -> FlippedBit?

  /// Where only some are injected, once in each image.
  package var injected: Int { Effort.cases(wanted, oneIn: wanted / samples.count) }

  package static var x86: FaultPlan {
    FaultPlan(
      samples: ["healthy", "healthy-pti", "healthy-5level", "5level-pti"],
      listed: ["stock/7.3-modules", "stock/6.1-modules"], injections: Injection.all, wanted: 100,
      flips: Effort.cases(3000, oneIn: 15), kind: x86Kind)
  }

  package static var arm64: FaultPlan {
    FaultPlan(
      samples: ["612-4k52", "612-4k48-kpti"], listed: [], injections: Injection.arm64,
      wanted: 200, flips: Effort.cases(2000, oneIn: 20), kind: arm64Kind)
  }

  /// What flipping `bit` of an entry changes; nil for a global bit that may be missing in health.
  private static func x86Kind(_ bit: Int, _ site: Site, _ patient: Patient)
    -> FlippedBit?
  {
    let level = patient.image.mode.level(site.level)
    let reserved = site.isLeaf ? level.reservedInLeaf : level.reservedInTable
    if reserved >> UInt64(bit) & 1 == 1 { return .reserved }
    switch bit {
    case 0: return .present
    case 1: return .write
    case 2:
      // Where a pointer above keeps programs out, the bit below it changes nothing.
      return site.above.allSatisfy { $0 & 4 != 0 } && site.isLeaf ? .user : .free
    case 3, 4: return .cache
    case 7 where site.level > 1: return .size
    case 7,
      12 where site.isLeaf && (site.level > 1) == (bit == 12):
      return .cache
    case 8:
      guard site.isLeaf else { return .global }
      return site.level == 1 && site.area == .directMap ? nil : .global
    case 63: return .noExecute
    case 12..<52: return .frame
    default: return .free
    }
  }

  /// Sources: Arm ARM, D8.3; arch/arm64/include/asm/pgtable-hwdef.h, 6.12.
  private static func arm64Kind(_ bit: Int, _ site: Site, _ patient: Patient)
    -> FlippedBit?
  {
    let mode = patient.image.mode
    let level = mode.level(site.level)
    let one: UInt64 = 1 << UInt64(bit)
    if (site.isLeaf ? level.reservedInLeaf : level.reservedInTable) & one != 0 { return .reserved }
    if (site.isLeaf ? level.leafField : mode.tableField).mask & one != 0 { return .frame }
    switch bit {
    case 0: return .present
    case 1: return site.level == 1 ? .present : .size
    case 61, 62: return site.isTable ? .write : .free
    case 59 where site.isTable:
      // What it forbids matters above code alone.
      let last = site.address &+ (level.span &- 1)
      let isAboveCode = patient.sites.contains {
        $0.isCode && $0.address >= site.address && $0.address <= last
      }
      return site.entry & one == 0 && isAboveCode ? .noExecute : .free
    case _ where site.isTable: return .free
    default: return arm64Leaf(bit, site, mode)
    }
  }

  private static func arm64Leaf(_ bit: Int, _ site: Site, _ mode: TableFormat)
    -> FlippedBit
  {
    func isForbidden(_ bit: UInt64) -> Bool { site.above.contains { $0 >> bit & 1 != 0 } }
    return switch bit {
    case 2...4: .cache
    case 6: .user
    case 7: .write
    case 8, 9: site.entry & 7 << 2 >= 3 << 2 ? .free : .sharing
    case 10: .accessed
    case 11: .global
    case 50: site.isNoExecute || site.area != .image ? .free : .guarded
    case 51: site.isWritable ? .free : .write
    case 52: .contiguous
    case 53: isForbidden(59) ? .free : .noExecute
    case 54: isForbidden(60) ? .free : .noExecute
    default: .free
    }
  }
}
